#ifndef QUANTRY_WORKER_ENGINE_QUANT_QPARAMS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_QPARAMS_H_

#include <ATen/core/Tensor.h>

namespace quantry::engine {

// From what a quantizer keeps, a clipping threshold s or a step size, to what a runtime needs.

// q = 2^(bits-1) - 1, the largest integer of the symmetric quantizers.
constexpr int QuantMax(int bits) { return (1 << (bits - 1)) - 1; }

// The step size (ONNX "scale"): s / q. Where s <= 1e-30 (nothing but zeros were seen) it is
// (s + 1e-6) / q, as in the reference, so that dividing by it is always safe. NaN stays NaN.
float StepSize(float threshold, int bits);

// The same, elementwise. float32 in, float32 out, same shape and device.
at::Tensor StepSizes(const at::Tensor& thresholds, int bits);

// What a quantizer comes down to: integer = round(clamp(x, low, high) / step) + zero_point, which
// stands for (integer - zero_point) * step. Tensors are float32 scalars, or [C] with one element
// per channel.
struct QParams {
  at::Tensor step;  // > 0
  at::Tensor low;   // <= 0
  at::Tensor high;  // >= 0
  int64_t qmin = 0;
  int64_t qmax = 0;
  int64_t zero_point = 0;  // in [qmin, qmax]
};

// Symmetric, from thresholds s >= 0: [-s, s] on integers in [-q, q].
QParams QParamsOfThresholds(const at::Tensor& thresholds, int bits);

// Symmetric, from step sizes > 0: [-q * step, q * step] on integers in [-q, q].
QParams QParamsOfSteps(const at::Tensor& steps, int bits);

// Asymmetric, from one range [-below, above] given as the tensor {below, above}, both >= 0:
// unsigned integers in [0, 2^bits - 1] with the zero point that is nearest to representing the
// range; low and high are what the integers then reach, so that 0 is represented exactly. A range
// of nothing but 0 has low = high = 0.
QParams QParamsOfRange(const at::Tensor& below_and_above, int bits);

// The integers of x, halves to even, as int32: in [qmin, qmax]. `axis` is that of the channels, or
// -1. All finite.
at::Tensor QuantizeToIntegers(const at::Tensor& x, const QParams& qparams, int64_t axis);

// A 1-d tensor of x.size(axis) elements, viewed so that it broadcasts along `axis` of x; a scalar
// (axis -1) is returned as it is.
at::Tensor BroadcastAlong(const at::Tensor& values, const at::Tensor& x, int64_t axis);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_QPARAMS_H_
