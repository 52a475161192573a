#ifndef QUANTRY_WORKER_ENGINE_OPS_RECURRENT_H_
#define QUANTRY_WORKER_ENGINE_OPS_RECURRENT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

// What RNN, GRU and LSTM share: directions, layouts, sequences of different lengths, activations.

// An activation function of a cell, with what ONNX lets files say of it.
struct CellActivation {
  std::string name;  // in small letters
  double alpha = 0.0;
  double beta = 0.0;

  at::Tensor operator()(const at::Tensor& x) const;
};

// One direction of a layer; G is the number of the cell's gates.
struct CellWeights {
  at::Tensor recurrence;  // [G * hidden, hidden]
  at::Tensor bias;        // that of the recurrence, [G * hidden], or undefined
  at::Tensor peepholes;   // [3 * hidden], or undefined
  std::vector<CellActivation> activations;
  double clip = 0.0;  // bound of what goes into an activation; 0: none

  // The activation `index` of x, clipped.
  at::Tensor Activate(size_t index, const at::Tensor& x) const;
};

// [batch, hidden] each; `cell` is LSTM's.
struct CellState {
  at::Tensor hidden;
  at::Tensor cell;
};

// One step of a cell: `x` is the step's input times the input weights, with their bias,
// [batch, G * hidden].
using CellStep = CellState (*)(const Node&, const CellWeights&, const at::Tensor& x,
                               const CellState&);

// What tells the cells apart.
struct CellKind {
  int64_t gates = 1;
  std::vector<std::string> activations;  // of one direction, as if the file said nothing
  bool has_cell_state = false;
  CellStep step = nullptr;
};

// Runs the layer. Inputs as ONNX orders them: x, weights, recurrence weights, bias, sequence
// lengths, initial hidden state and, of LSTM, initial cell state and peepholes. Outputs: all hidden
// states, the last one and, of LSTM, the last cell state. Differentiable.
std::vector<at::Tensor> RunRecurrent(const Node& node, absl::Span<const at::Tensor> inputs,
                                     const CellKind& kind);

// Checks direction, layout, clip, hidden_size and activations.
absl::Status ValidateRecurrent(const Node& node, const CellKind& kind);

// The attributes that all three have, and `more`.
std::vector<AttributeDef> RecurrentAttributes(std::vector<AttributeDef> more);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_RECURRENT_H_
