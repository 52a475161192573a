#include <ATen/ATen.h>

#include <utility>

#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node&, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  at::Tensor x = inputs[0];
  std::vector<int64_t> axes = IntsOf(inputs[1]);
  const int64_t rank = x.dim() + static_cast<int64_t>(axes.size());  // the axes are the output's
  for (const int64_t axis : NormalAxes(std::move(axes), rank)) x = x.unsqueeze(axis);
  return {x};
}

// Up to opset 12 the axes were an attribute.
absl::Status Upgrade(Graph& graph, Node& node, int64_t opset) {
  return opset >= 13 ? absl::OkStatus() : ListToInput(graph, node, "axes", 1);
}

}  // namespace

extern const OperatorDef kUnsqueezeOperator = {
    .op = "Unsqueeze",
    .min_inputs = 2,
    .max_inputs = 2,
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
