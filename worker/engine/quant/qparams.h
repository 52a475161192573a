#ifndef QUANTRY_WORKER_ENGINE_QUANT_QPARAMS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_QPARAMS_H_

#include <ATen/core/Tensor.h>

#include "worker/engine/quant/rounding.h"

namespace quantry::engine {

// From what a quantizer keeps, a clipping threshold s or a step size, to what a runtime needs.

// Bits that the quantizers and their kernels can do. The integers of 16 bits are exact in float32,
// and x / step is known to 1/256 of a step, so that only ties are uncertain.
inline constexpr int kSmallestBits = 2;
inline constexpr int kLargestBits = 16;

// q = 2^(bits-1) - 1, the largest integer of the symmetric quantizers.
constexpr int QuantMax(int bits) { return (1 << (bits - 1)) - 1; }

// 2^bits - 1, the largest integer of the asymmetric quantizers, which start at 0.
constexpr int UnsignedMax(int bits) { return (1 << bits) - 1; }

// The step size (ONNX "scale"): s / q. Where s <= 1e-30 (nothing but zeros were seen) it is
// (s + 1e-6) / q, as in the reference, so that dividing by it is always safe. NaN stays NaN.
float StepSize(float threshold, int bits);

// The same, elementwise. float32 in, float32 out, same shape and device.
at::Tensor StepSizes(const at::Tensor& thresholds, int bits);

// What is done to a tensor before it is put on the grid.
enum class Mapping {
  kNone = 0,
  kTanh = 1,  // DoReFa: x becomes tanh(x) / largest, in [-1, 1]; a step is then 1 / qmax * m
};

// What a quantizer comes down to, for evaluation and export alike:
//   integer = round(clamp(x, low, high) / step) + zero_point,  in [qmin, qmax],
//   value   = (integer - zero_point) * step.
// Step, low and high are float32 scalars, or [C] with one element per channel.
struct QParams {
  at::Tensor step;  // > 0
  at::Tensor low;   // <= 0
  at::Tensor high;  // >= 0
  int64_t qmin = 0;
  int64_t qmax = 0;
  int64_t zero_point = 0;  // in [qmin, qmax]
  Rounding rounding = Rounding::kHalfToEven;
  // kHalfAwayFromZero: x * levels / span stands for x / step. Undefined: span is step, levels 1.
  at::Tensor span = {};  // the shape of step
  double levels = 1;
  // kTanh: `largest` is max|tanh x| of the tensor, a scalar; low, high and step are those of the
  // result, not of x; `odd_only`: no integer but the odd ones (there is no 0 then).
  Mapping mapping = Mapping::kNone;
  at::Tensor largest = {};
  bool odd_only = false;
};

// Symmetric, from thresholds s >= 0: [-s, s] on integers in [-q, q]; with `full_range` one step
// more below: [-s - s / q, s] on integers in [-q - 1, q].
QParams QParamsOfThresholds(const at::Tensor& thresholds, int bits, bool full_range = false,
                            Rounding rounding = Rounding::kHalfToEven);

// Symmetric, from step sizes > 0: [-q * step, q * step] on integers in [-q, q]; with `full_range`
// one integer more below: [-q - 1, q].
QParams QParamsOfSteps(const at::Tensor& steps, int bits, bool full_range = false,
                       Rounding rounding = Rounding::kHalfToEven);

// Asymmetric, from one range [-below, above] given as the tensor {below, above}, both >= 0:
// unsigned integers in [0, 2^bits - 1] with the zero point that is nearest to representing the
// range; low and high are what the integers then reach, so that 0 is represented exactly. A range
// of nothing but 0 has low = high = 0.
QParams QParamsOfRange(const at::Tensor& below_and_above, int bits,
                       Rounding rounding = Rounding::kHalfToEven);

// Asymmetric, from a step size > 0 and a zero point, which is rounded and brought into
// [0, 2^bits - 1]: the range that these integers reach. NaN counts as zero point 0.
QParams QParamsOfStep(const at::Tensor& step, double zero_point, int bits,
                      Rounding rounding = Rounding::kHalfToEven);

// The integers of x as int32: in [qmin, qmax], rounded as `qparams` say. `axis` is that of the
// channels, or -1. All finite.
at::Tensor QuantizeToIntegers(const at::Tensor& x, const QParams& qparams, int64_t axis);

// A 1-d tensor of x.size(axis) elements, viewed so that it broadcasts along `axis` of x; a scalar
// (axis -1) is returned as it is.
at::Tensor BroadcastAlong(const at::Tensor& values, const at::Tensor& x, int64_t axis);

// Rounds to whole numbers; NaN stays NaN.
at::Tensor RoundWith(const at::Tensor& values, Rounding rounding);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_QPARAMS_H_
