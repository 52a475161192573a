#ifndef QUANTRY_WORKER_ENGINE_QUANT_CPU_KERNELS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_CPU_KERNELS_H_

#include <cstdint>

namespace quantry::engine {

// The inner loops of fake quantization on plain float arrays, single-threaded, AVX2 where the
// processor has it (with the same results bit for bit). Arrays must not overlap. Thread-safe.

// max|x|; 0 for n = 0. NaN if any element is NaN, so that it can't go unnoticed.
float AbsMax(const float* x, int64_t n);

// y = round(clamp(x, -threshold, threshold) / step) * step, halves to the even neighbour.
// |threshold / step| must be below 2^22. NaN in x, threshold or step gives NaN.
void FakeQuantizeForward(const float* x, float* y, int64_t n, float threshold, float step);

// dx = dy where |x| <= threshold, else 0 (also where x is NaN).
void FakeQuantizeBackward(const float* x, const float* dy, float* dx, int64_t n, float threshold);

// Sum of dy where x > alpha, minus the sum of dy where x < -alpha: PACT's gradient of alpha.
double PactAlphaGradient(const float* x, const float* dy, int64_t n, float alpha);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_CPU_KERNELS_H_
