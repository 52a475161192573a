#include <ATen/ATen.h>

#include <algorithm>

#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const int64_t rank = inputs[0].dim();
  const auto bound = [rank](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const int64_t start = bound(node.Int("start", 0));
  const int64_t end = std::max(start, bound(node.Int("end", rank)));
  const at::IntArrayRef sizes = inputs[0].sizes();
  return {at::tensor(sizes.slice(static_cast<size_t>(start), static_cast<size_t>(end - start)),
                     at::kLong)};
}

}  // namespace

extern const OperatorDef kShapeOperator = {
    .op = "Shape",
    .attributes = {{"end", AttributeKind::kInt}, {"start", AttributeKind::kInt}},
    .evaluate = Evaluate};

}  // namespace quantry::engine
