#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_TENSOR_BOUNDS_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_TENSOR_BOUNDS_H_

#include <ATen/core/Tensor.h>

namespace quantry::engine {

// Throws c10::Error unless every element of a tensor that came from a file lies within its memory:
// LibTorch takes sizes, strides and offset as the file has them. Sparse and quantized tensors, and
// tensors of far more elements than memory, are refused too. Undefined ones are fine.
void CheckBounds(const at::Tensor& tensor);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_TENSOR_BOUNDS_H_
