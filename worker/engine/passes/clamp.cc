#include "worker/engine/passes/clamp.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "absl/strings/string_view.h"
#include "worker/engine/passes/edit.h"

namespace quantry::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr absl::string_view kMovers[] = {"Dropout", "Flatten", "Identity",  "MaxPool",
                                         "Reshape", "Squeeze", "Transpose", "Unsqueeze"};

}  // namespace

std::optional<Clamp> ClampOf(const Node& node) {
  if (node.op() == "Relu") return Clamp{.low = 0, .high = kInfinity};
  if (node.op() != "Clip") return std::nullopt;
  Clamp clamp{.low = -kInfinity, .high = kInfinity};
  for (const size_t slot : {size_t{1}, size_t{2}}) {
    if (node.input(slot) == nullptr) continue;
    const std::optional<float> bound = ConstantFloat(node.input(slot));
    if (!bound) return std::nullopt;
    (slot == 1 ? clamp.low : clamp.high) = *bound;
  }
  // Written so that NaN is refused, too.
  return clamp.low <= clamp.high ? std::optional(clamp) : std::nullopt;
}

bool CommutesWithQuantizer(const Node& node) {
  if (node.outputs().size() != 1) return false;
  return ClampOf(node).has_value() ||
         std::find(std::begin(kMovers), std::end(kMovers), node.op()) != std::end(kMovers);
}

}  // namespace quantry::engine
