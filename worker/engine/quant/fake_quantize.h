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

// y = round(clamp(x, -s, s) / step) * step with step = StepSize(s, bits), halves to even.
//   (PaddleSlim's y = round(clamp(x, -s, s) * q / s) * s / q, with the division in the order in
//   which ONNX QuantizeLinear does it, so that the served model rounds alike.)
// Gradient: straight through, dx = dy where |x| <= s, else 0; s gets none.
//
// With `alpha` (defined; same shape as `thresholds`) this is PACT: the caller passes
// s = PactThreshold(alpha, observed), and alpha gets
//   d_alpha = sum of dy where x > alpha, minus the sum of dy where x < -alpha.
// For x without negative values that is clamping to [0, alpha].
//
// x: float32 (any dense layout runs on own kernels on the CPU; other devices and layouts on ATen).
// thresholds: float32 on x's device, scalar or [x.size(axis)]; negative ones count as 0 and NaN
// gives NaN. Output: like x, same memory format. Backward works on x itself: no mask is kept.
at::Tensor FakeQuantize(const at::Tensor& x, const at::Tensor& thresholds, const at::Tensor& alpha,
                        const FakeQuantizeOptions& options);

// The same on any grid: y = round(clamp(x, low, high) / step) * step, dx = dy where low <= x <=
// high. Of `qparams` step, low and high are looked at; they get no gradient.
at::Tensor FakeQuantizeOn(const at::Tensor& x, const QParams& qparams, const at::Tensor& alpha,
                          int64_t axis);

// With a step size that is learned (LSQ, Esser et al., 2020): y as QParamsOfSteps(step, bits) has
// it, where `steps` (scalar or [x.size(axis)]) counts as at least kSmallestStep. With v = x / step:
//   dx = dy where -q <= v <= q, else 0;
//   d_step = g * sum of dy * {-q where v < -q; q where v > q; round(v) - v else}.
// `gradient_factor` is g, the paper's 1 / sqrt(N * q). (The paper's signed range is [-q-1, q]; ours
// is [-q, q] like all that we export.)
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
