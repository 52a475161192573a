#include "worker/engine/ops/convolution.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/window.h"

namespace quantry::engine {

int64_t SpatialRank(const Node& node) {
  const Value* weight = InitializerBehind(node, 1);
  return weight == nullptr ? 0 : weight->tensor().dim() - 2;
}

absl::Status ValidateConvolution(const Node& node) {
  const Value* weight = InitializerBehind(node, 1);
  const int64_t rank = SpatialRank(node);
  if (weight != nullptr && (rank < 1 || rank > 3)) {
    return absl::InvalidArgumentError(absl::StrCat("weight '", weight->name(), "' is ",
                                                   ToString(weight->type),
                                                   "; it must have 3 to 5 dimensions"));
  }
  QUANTRY_RETURN_IF_ERROR(ValidateWindow(node, rank));
  return CheckInt(node, "group", 1, 1 << 20);
}

}  // namespace quantry::engine
