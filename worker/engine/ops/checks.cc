#include "worker/engine/ops/checks.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace quantry::engine {

absl::Status CheckInt(const Node& node, absl::string_view name, int64_t least, int64_t most) {
  const int64_t value = node.Int(name, least);
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("attribute '", name, "' is ", value, "; allowed are ", least, " to ", most));
}

absl::Status CheckFinite(const Node& node, absl::string_view name) {
  const float value = node.Float(name, 0.0f);
  if (std::isfinite(value)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("attribute '", name, "' is ", value, "; it must be finite"));
}

absl::Status CheckOneOf(const Node& node, absl::string_view name,
                        std::initializer_list<absl::string_view> allowed) {
  if (!node.HasAttribute(name)) return absl::OkStatus();
  const std::string value = node.String(name, "");
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is '", value,
                                                 "'; allowed are ", absl::StrJoin(allowed, ", ")));
}

absl::Status CheckAxis(const Node& node, absl::string_view name) {
  constexpr int64_t kMostDimensions = 16;
  return node.HasAttribute(name) ? CheckInt(node, name, -kMostDimensions, kMostDimensions)
                                 : absl::OkStatus();
}

}  // namespace quantry::engine
