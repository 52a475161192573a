#ifndef QUANTRY_WORKER_ENGINE_QUANT_DOREFA_H_
#define QUANTRY_WORKER_ENGINE_QUANT_DOREFA_H_

#include <ATen/core/Tensor.h>

#include "worker/engine/quant/qparams.h"

namespace quantry::engine {

// DoReFa's weights (Zhou et al., 2016), with M = max|tanh w| over the tensor and L = 2^bits - 1:
//   y = m * (2 * round(L * (tanh w / (2 M) + 1/2)) / L - 1).
// The paper has m = 1, which makes every layer's largest weight 1, whatever it was trained to be;
// m is the largest |w| that was seen first, so that a trained network starts as it was.
// These values are m / L times the odd integers in [-L, L]: there is no 0, and bits + 1 bits hold
// them. From 8 bits on that is more than int8; then the integers are round(q * tanh w / M) in
// [-q, q], q = 2^(bits-1) - 1, with the step m / q: 255 values instead of 256.
QParams DorefaQParams(const at::Tensor& weight, const at::Tensor& magnitude, int bits,
                      Rounding rounding);

// The integers of `weight` as float32, before anything is dequantized; NaN stays NaN.
at::Tensor TanhIntegers(const at::Tensor& weight, const QParams& qparams);

// TanhIntegers * step. Gradient: straight through the rounding, M held fixed,
//   dw = dy * m * (1 - tanh(w)^2) / M.
at::Tensor FakeQuantizeTanh(const at::Tensor& weight, const QParams& qparams);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_DOREFA_H_
