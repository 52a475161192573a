#ifndef QUANTRY_WORKER_ENGINE_OPS_FORMS_H_
#define QUANTRY_WORKER_ENGINE_OPS_FORMS_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "worker/engine/ops/operator.h"

namespace quantry::engine {

// OperatorDef::evaluate of the common forms, from a function on tensors: of these an operator is
// one entry. `f` is a function or a lambda without captures.

// y = f(x).
template <auto f>
std::vector<at::Tensor> Unary(const Node&, absl::Span<const at::Tensor> inputs,
                              const EvaluateContext&) {
  return {f(inputs[0])};
}

// y = f(node, x), where attributes matter.
template <auto f>
std::vector<at::Tensor> UnaryOf(const Node& node, absl::Span<const at::Tensor> inputs,
                                const EvaluateContext&) {
  return {f(node, inputs[0])};
}

// y = f(a, b).
template <auto f>
std::vector<at::Tensor> Binary(const Node&, absl::Span<const at::Tensor> inputs,
                               const EvaluateContext&) {
  return {f(inputs[0], inputs[1])};
}

// y = f(node, a, b).
template <auto f>
std::vector<at::Tensor> BinaryOf(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  return {f(node, inputs[0], inputs[1])};
}

// y = f(f(a, b), c) and so on, of one or more inputs.
template <auto f>
std::vector<at::Tensor> Folded(const Node&, absl::Span<const at::Tensor> inputs,
                               const EvaluateContext&) {
  at::Tensor y = inputs[0];
  for (size_t i = 1; i < inputs.size(); ++i) y = f(y, inputs[i]);
  return {y};
}

// The input, undefined where it is left out.
inline at::Tensor InputOr(absl::Span<const at::Tensor> inputs, size_t index) {
  return index < inputs.size() ? inputs[index] : at::Tensor();
}

// The outputs that the node has: a file may leave out the last ones.
inline std::vector<at::Tensor> FirstOutputs(const Node& node, std::vector<at::Tensor> outputs) {
  if (outputs.size() > node.outputs().size()) outputs.resize(node.outputs().size());
  return outputs;
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_FORMS_H_
