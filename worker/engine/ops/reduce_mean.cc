#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  std::vector<int64_t> axes;
  if (inputs.size() > 1 && inputs[1].defined()) axes = NormalAxes(IntsOf(inputs[1]), x.dim());
  if (axes.empty()) {
    if (node.Int("noop_with_empty_axes", 0) != 0) return {x};
    for (int64_t axis = 0; axis < x.dim(); ++axis) axes.push_back(axis);
  }
  return {at::mean(x, axes, node.Int("keepdims", 1) != 0)};
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "keepdims", 0, 1));
  return CheckInt(node, "noop_with_empty_axes", 0, 1);
}

// Up to opset 17 the axes were an attribute.
absl::Status Upgrade(Graph& graph, Node& node, int64_t opset) {
  return opset >= 18 ? absl::OkStatus() : ListToInput(graph, node, "axes", 1);
}

}  // namespace

extern const OperatorDef kReduceMeanOperator = {
    .op = "ReduceMean",
    .min_inputs = 1,
    .max_inputs = 2,
    .attributes = {{"keepdims", AttributeKind::kInt},
                   {"noop_with_empty_axes", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
