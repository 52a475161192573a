#ifndef QUANTRY_WORKER_ENGINE_QUANT_FAKE_QUANTIZE_H_
#define QUANTRY_WORKER_ENGINE_QUANT_FAKE_QUANTIZE_H_

#include <ATen/core/Tensor.h>

#include "worker/engine/quant/qparams.h"

namespace quantry::engine {

// Granularity and width of one fake-quantization.
struct FakeQuantizeOptions {
  int bits = 8;       // 2..16
  int64_t axis = -1;  // -1: one threshold for the whole tensor; else one per index of this axis
};

// y = round(clamp(x, low, high) / step) * step, on the grid and with the rounding of `qparams`.
// Rounding::kHalfToEven divides by the step, as ONNX QuantizeLinear does, so that the served model
// rounds alike; kHalfAwayFromZero computes round(x * q / s) * s / q from left to right
// (PaddleSlim). With InputGradient::kMasked dx = dy where low <= x <= high, else 0;
// kStraightThrough dx = dy. The grid gets no gradient.
//
// With `alpha` (defined; same shape as step) this is PACT: the caller passes the grid of
// s = PactThreshold(alpha, observed), and alpha gets
//   d_alpha = sum of dy where x > alpha, minus the sum of dy where x < -alpha.
// For x without negative values that is clamping to [0, alpha]. kStraightThrough then means
// straight through the rounding only: dx = dy where |x| <= alpha.
//
// x: float32 (any dense layout runs on own kernels on the CPU; other devices and layouts on ATen).
// Output: like x, same memory format; an empty x gives an empty y. NaN in x or in the grid gives
// NaN, an infinite x the end of the range. Backward works on x itself: no mask is kept.
at::Tensor FakeQuantizeOn(const at::Tensor& x, const QParams& qparams, const at::Tensor& alpha,
                          int64_t axis, InputGradient gradient = InputGradient::kMasked);

// FakeQuantizeOn for QParamsOfThresholds, halves to even, masked. thresholds: float32 on x's
// device, scalar or [x.size(axis)]; negative ones count as 0 and NaN gives NaN.
at::Tensor FakeQuantize(const at::Tensor& x, const at::Tensor& thresholds, const at::Tensor& alpha,
                        const FakeQuantizeOptions& options);

// What is learned of a grid. The tensors are those that get the gradient.
struct LearnedGrid {
  at::Tensor steps;            // step size(s): scalar or [x.size(axis)]
  at::Tensor offset = {};      // LSQ+: the lower end of the range, a scalar; undefined: none
  double gradient_factor = 1;  // g, the papers' 1 / sqrt(N * Qp)
};

// With a step size that is learned (LSQ, Esser et al., 2020): y on `qparams`, which the caller made
// of the steps. With v = x / step, Qn = qmin - zero_point and Qp = qmax - zero_point:
//   dx = dy where Qn <= v <= Qp, else 0;
//   d_step = g * sum of dy * {Qn where v < Qn; Qp where v > Qp; round(v) - v else}.
// With a learned offset b as well (LSQ+, Bhalgat et al., 2020), v = (x - b) / step, Qn = qmin and
// Qp = qmax of the unsigned integers, and
//   d_b = g * sum of dy where v is clipped.
// The offset is rounded to a whole zero point in `qparams`, which counts as the identity.
at::Tensor FakeQuantizeLearnedOn(const at::Tensor& x, const QParams& qparams,
                                 const LearnedGrid& learned, int64_t axis);

// FakeQuantizeLearnedOn for QParamsOfSteps, where steps count as at least kSmallestStep. (The
// paper's signed range is [-q-1, q]; here it is [-q, q].)
at::Tensor FakeQuantizeLearned(const at::Tensor& x, const at::Tensor& steps, double gradient_factor,
                               const FakeQuantizeOptions& options);

// A learned step can't get smaller, so that it is never zero or negative, whatever an optimizer
// does.
inline constexpr float kSmallestStep = 1e-8f;

// min(alpha, observed), at least 0, without gradient: alpha can only narrow what was observed, so
// that a start value far above the data does no harm.
at::Tensor PactThreshold(const at::Tensor& alpha, const at::Tensor& observed);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_FAKE_QUANTIZE_H_
