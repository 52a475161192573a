#ifndef QUANTRY_WORKER_ENGINE_QUANT_QPARAMS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_QPARAMS_H_

#include <ATen/core/Tensor.h>

namespace quantry::engine {

// From a clipping threshold s to what a runtime needs. Integers are in [-q, q], zero point 0.

// q = 2^(bits-1) - 1, the largest integer.
constexpr int QuantMax(int bits) { return (1 << (bits - 1)) - 1; }

// The step size (ONNX "scale"): s / q. Where s <= 1e-30 (nothing but zeros were seen) it is
// (s + 1e-6) / q, as in the reference, so that dividing by it is always safe. NaN stays NaN.
float StepSize(float threshold, int bits);

// The same, elementwise. float32 in, float32 out, same shape and device.
at::Tensor StepSizes(const at::Tensor& thresholds, int bits);

// round(clamp(x, -s, s) / step) as int8, halves to even. `thresholds` is a scalar with axis -1,
// else one per index of that axis. All finite.
at::Tensor QuantizeToInt8(const at::Tensor& x, const at::Tensor& thresholds, int bits,
                          int64_t axis);

// A 1-d tensor of x.size(axis) elements, viewed so that it broadcasts along `axis` of x; a scalar
// (axis -1) is returned as it is.
at::Tensor BroadcastAlong(const at::Tensor& values, const at::Tensor& x, int64_t axis);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_QPARAMS_H_
