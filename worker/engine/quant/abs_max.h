#ifndef QUANTRY_WORKER_ENGINE_QUANT_ABS_MAX_H_
#define QUANTRY_WORKER_ENGINE_QUANT_ABS_MAX_H_

#include <ATen/core/Tensor.h>

namespace quantry::engine {

// max|x| over everything (axis -1: a scalar) or per index of `axis` (1-d, x.size(axis) elements).
// float32 on x's device; an empty x gives 0. NaN in x gives NaN. One pass on the CPU for dense
// tensors of any memory format. No gradient.
at::Tensor AbsMaxOf(const at::Tensor& x, int64_t axis);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_ABS_MAX_H_
