#include <ATen/ATen.h>

#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node&, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  at::Tensor x = inputs[0];
  if (inputs.size() < 2 || !inputs[1].defined()) return {x.squeeze()};
  const std::vector<int64_t> axes = NormalAxes(IntsOf(inputs[1]), x.dim());
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    TORCH_CHECK(x.size(*axis) == 1, "axis ", *axis, " has size ", x.size(*axis),
                "; only size 1 can be squeezed");
    x = x.squeeze(*axis);
  }
  return {x};
}

// Up to opset 12 the axes were an attribute.
absl::Status Upgrade(Graph& graph, Node& node, int64_t opset) {
  return opset >= 13 ? absl::OkStatus() : ListToInput(graph, node, "axes", 1);
}

}  // namespace

extern const OperatorDef kSqueezeOperator = {
    .op = "Squeeze",
    .min_inputs = 1,
    .max_inputs = 2,
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
