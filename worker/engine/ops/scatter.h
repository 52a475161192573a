#ifndef QUANTRY_WORKER_ENGINE_OPS_SCATTER_H_
#define QUANTRY_WORKER_ENGINE_OPS_SCATTER_H_

#include <ATen/core/Tensor.h>

#include <string>

namespace quantry::engine {

// Indices as int64 on x's device, negative ones counted from `size`.
at::Tensor WrappedIndices(const at::Tensor& indices, const at::Tensor& x, int64_t size);

// x with `updates` put to `indices` along `axis`, or joined with what is there: `reduction` is
// none, add, mul, max or min. c10::Error where an index is outside.
at::Tensor ScatterAlong(const at::Tensor& x, int64_t axis, const at::Tensor& indices,
                        const at::Tensor& updates, const std::string& reduction);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_SCATTER_H_
