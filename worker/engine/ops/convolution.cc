#include "worker/engine/ops/convolution.h"

#include <c10/util/Exception.h>

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

void CheckKernel(const at::Tensor& x, const at::Tensor& weight) {
  TORCH_CHECK(weight.dim() >= 3 && x.dim() == weight.dim(),
              "input and weight must have the same rank of at least 3");
  for (const int64_t size : weight.sizes().slice(2)) {
    TORCH_CHECK(size > 0, "a kernel of ", weight.sizes().slice(2), " has no elements");
  }
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
