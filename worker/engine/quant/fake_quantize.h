#ifndef QUANTRY_WORKER_ENGINE_QUANT_FAKE_QUANTIZE_H_
#define QUANTRY_WORKER_ENGINE_QUANT_FAKE_QUANTIZE_H_

#include <ATen/core/Tensor.h>

namespace quantry::engine {

// Granularity and width of one fake-quantization.
struct FakeQuantizeOptions {
  int bits = 8;       // 2..8
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

// min(alpha, observed), at least 0, without gradient: alpha can only narrow what was observed, so
// that a start value far above the data does no harm.
at::Tensor PactThreshold(const at::Tensor& alpha, const at::Tensor& observed);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_FAKE_QUANTIZE_H_
