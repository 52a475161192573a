#include <ATen/ATen.h>

#include <vector>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/recurrent.h"

namespace quantry::engine {
namespace {

// Gates z (update), r (reset) and h (hidden):
//   z = f(x W_z + h R_z), r = f(x W_r + h R_r), n = g(x W_h + (r * h) R_h), with their biases;
//   h' = (1 - z) * n + z * h.
// With linear_before_reset, as in cuDNN and PyTorch, r * (h R_h + b) instead of (r * h) R_h + b.
CellState Step(const Node& node, const CellWeights& weights, const at::Tensor& x,
               const CellState& state) {
  const bool linear_first = node.Int("linear_before_reset", 0) != 0;
  const std::vector<at::Tensor> in = x.chunk(3, -1);
  const std::vector<at::Tensor> back = weights.recurrence.chunk(3, 0);
  const auto bias = weights.bias.defined() ? weights.bias.chunk(3, 0) : std::vector<at::Tensor>(3);
  const at::Tensor& h = state.hidden;
  const at::Tensor z = weights.Activate(0, at::add(in[0], at::linear(h, back[0], bias[0])));
  const at::Tensor r = weights.Activate(0, at::add(in[1], at::linear(h, back[1], bias[1])));
  const at::Tensor candidate = linear_first ? at::mul(r, at::linear(h, back[2], bias[2]))
                                            : at::linear(at::mul(r, h), back[2], bias[2]);
  const at::Tensor n = weights.Activate(1, at::add(in[2], candidate));
  return {.hidden = at::add(n, at::mul(z, at::sub(h, n)))};
}

const CellKind& Kind() {
  static const CellKind kKind = {.gates = 3, .activations = {"Sigmoid", "Tanh"}, .step = Step};
  return kKind;
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  return RunRecurrent(node, inputs, Kind());
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "linear_before_reset", 0, 1));
  return ValidateRecurrent(node, Kind());
}

}  // namespace

extern const OperatorDef kGRUOperator = {
    .op = "GRU",
    .min_inputs = 3,
    .max_inputs = 6,
    .max_outputs = 2,
    .attributes = RecurrentAttributes({{"linear_before_reset", AttributeKind::kInt}}),
    .input_kinds = {InputKind::kActivation, InputKind::kParameter, InputKind::kParameter,
                    InputKind::kParameter, InputKind::kActivation},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
