#include <ATen/ATen.h>

#include <vector>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/recurrent.h"

namespace quantry::engine {
namespace {

// Gates i (input), o (output), f (forget) and c (cell), with peepholes p:
//   i = f(x W_i + h R_i + p_i * c), f the same or, with input_forget, 1 - i;
//   c' = f * c + i * g(x W_c + h R_c);
//   o = f(x W_o + h R_o + p_o * c'), h' = o * h(c').
CellState Step(const Node& node, const CellWeights& weights, const at::Tensor& x,
               const CellState& state) {
  const at::Tensor sum = at::add(x, at::linear(state.hidden, weights.recurrence, weights.bias));
  const std::vector<at::Tensor> gates = sum.chunk(4, -1);
  const auto peephole = [&](int64_t gate, size_t which, const at::Tensor& cell) {
    const at::Tensor& in = gates[static_cast<size_t>(gate)];
    if (!weights.peepholes.defined()) return in;
    return at::add(in, at::mul(weights.peepholes.chunk(3, 0)[which], cell));
  };
  const at::Tensor i = weights.Activate(0, peephole(0, 0, state.cell));
  const bool coupled = node.Int("input_forget", 0) != 0;
  const at::Tensor f = coupled ? at::rsub(i, 1) : weights.Activate(0, peephole(2, 2, state.cell));
  const at::Tensor fresh = at::mul(i, weights.Activate(1, gates[3]));
  const at::Tensor cell = at::add(at::mul(f, state.cell), fresh);
  const at::Tensor o = weights.Activate(0, peephole(1, 1, cell));
  return {.hidden = at::mul(o, weights.activations[2](cell)), .cell = cell};
}

const CellKind& Kind() {
  static const CellKind kKind = {
      .gates = 4, .activations = {"Sigmoid", "Tanh", "Tanh"}, .has_cell_state = true, .step = Step};
  return kKind;
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  return RunRecurrent(node, inputs, Kind());
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "input_forget", 0, 1));
  return ValidateRecurrent(node, Kind());
}

}  // namespace

extern const OperatorDef kLSTMOperator = {
    .op = "LSTM",
    .min_inputs = 3,
    .max_inputs = 8,
    .max_outputs = 3,
    .attributes = RecurrentAttributes({{"input_forget", AttributeKind::kInt}}),
    .input_kinds = {InputKind::kActivation, InputKind::kParameter, InputKind::kParameter,
                    InputKind::kParameter, InputKind::kActivation, InputKind::kActivation,
                    InputKind::kActivation, InputKind::kParameter},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
