#ifndef QUANTRY_WORKER_ENGINE_FUSE_RUN_VALUE_H_
#define QUANTRY_WORKER_ENGINE_FUSE_RUN_VALUE_H_

#include <ATen/core/Tensor.h>

#include "absl/strings/string_view.h"
#include "worker/engine/kernels/elements.h"

namespace quantry::engine {

// A value of a run: a tensor as it is, or, where it lies on a quantizer's grid, the integers that
// stand for it.
struct RunValue {
  at::Tensor tensor;  // undefined: left out
  // Above 0: the value is step * tensor, and `tensor` are whole numbers up to kLargestInteger as
  // bf16, which has them exactly. What autograd takes for their gradient is that of the value.
  float step = 0;

  bool integers() const { return step > 0; }
};

inline constexpr float kLargestInteger = 256;

// Whether the only output of a node of this operator consists of values of its first input,
// whatever these are, and it can pick them from bf16 as well: then integers stay integers.
bool KeepsGrid(absl::string_view op);

// The value itself, float32 where it was integers. Differentiable.
at::Tensor Plain(const RunValue& value);

// The elements of a dense tensor of float32 or bf16, of which none is left out; null for an
// undefined one.
ConstElements ElementsOf(const at::Tensor& tensor);
Elements MutableElementsOf(const at::Tensor& tensor);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_RUN_VALUE_H_
