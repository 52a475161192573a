#ifndef QUANTRY_WORKER_ENGINE_OPS_ALONG_AXIS_H_
#define QUANTRY_WORKER_ENGINE_OPS_ALONG_AXIS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace quantry::engine {

// `values` so that it broadcasts over x: a scalar, or one element stored as a list, as a scalar; a
// list [x.size(axis)] along `axis` (negative: from the end). c10::Error if the length is another.
at::Tensor AlongAxis(const at::Tensor& values, const at::Tensor& x, int64_t axis);

// As AlongAxis, where each value stands for `block` elements in a row along `axis` (0: for all of
// them); `values` then has the rank of x and its sizes, but ceil(size / block) along `axis`.
at::Tensor AlongBlocks(const at::Tensor& values, const at::Tensor& x, int64_t axis, int64_t block);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_ALONG_AXIS_H_
