#ifndef QUANTRY_WORKER_ENGINE_QUANT_CPU_KERNELS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_CPU_KERNELS_H_

#include <cstdint>

namespace quantry::engine {

// The inner loops of fake quantization on plain float arrays, single-threaded, AVX2 where the
// processor has it (with the same results bit for bit). Arrays must not overlap. Thread-safe.

// max|x|; 0 for n = 0. NaN if any element is NaN, so that it can't go unnoticed.
float AbsMax(const float* x, int64_t n);

// How one channel is quantized: values in [low, high], on multiples of `step`.
struct Grid {
  float low = 0;
  float high = 0;
  float step = 1;
};

// y = round(clamp(x, low, high) / step) * step, halves to the even neighbour. |low / step| and
// |high / step| must be below 2^22. NaN in x or in the grid gives NaN.
void FakeQuantizeForward(const float* x, float* y, int64_t n, const Grid& grid);

// dx = dy where low <= x <= high, else 0 (also where x is NaN).
void FakeQuantizeBackward(const float* x, const float* dy, float* dx, int64_t n, const Grid& grid);

// Sum of dy * d, where d is low / step if x < low, high / step if x > high, and round(v) - v with
// v = x / step otherwise: the gradient of a learned step size, before its factor g.
double StepGradient(const float* x, const float* dy, int64_t n, const Grid& grid);

// Sum of dy where x > alpha, minus the sum of dy where x < -alpha: PACT's gradient of alpha.
double PactAlphaGradient(const float* x, const float* dy, int64_t n, float alpha);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_CPU_KERNELS_H_
