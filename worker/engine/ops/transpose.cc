#include <ATen/ATen.h>

#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  std::vector<int64_t> order = node.Ints("perm");
  if (!node.HasAttribute("perm")) {
    for (int64_t axis = inputs[0].dim(); axis-- > 0;) order.push_back(axis);
  }
  return {inputs[0].permute(order)};
}

}  // namespace

extern const OperatorDef kTransposeOperator = {
    .op = "Transpose", .attributes = {{"perm", AttributeKind::kInts}}, .evaluate = Evaluate};

}  // namespace quantry::engine
