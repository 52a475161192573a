#include <ATen/ATen.h>

#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/recurrent.h"

namespace quantry::engine {
namespace {

// h' = f(x W + b + h R + b_r).
CellState Step(const Node&, const CellWeights& weights, const at::Tensor& x,
               const CellState& state) {
  const at::Tensor back = at::linear(state.hidden, weights.recurrence, weights.bias);
  return {.hidden = weights.Activate(0, at::add(x, back))};
}

const CellKind& Kind() {
  static const CellKind kKind = {.gates = 1, .activations = {"Tanh"}, .step = Step};
  return kKind;
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  return RunRecurrent(node, inputs, Kind());
}

}  // namespace

extern const OperatorDef kRNNOperator = {
    .op = "RNN",
    .min_inputs = 3,
    .max_inputs = 6,
    .max_outputs = 2,
    .attributes = RecurrentAttributes({}),
    .input_kinds = {InputKind::kActivation, InputKind::kParameter, InputKind::kParameter,
                    InputKind::kParameter, InputKind::kActivation},
    .validate = [](const Node& node) { return ValidateRecurrent(node, Kind()); },
    .evaluate = Evaluate};

}  // namespace quantry::engine
