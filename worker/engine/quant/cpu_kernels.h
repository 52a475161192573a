#ifndef QUANTRY_WORKER_ENGINE_QUANT_CPU_KERNELS_H_
#define QUANTRY_WORKER_ENGINE_QUANT_CPU_KERNELS_H_

#include <cstdint>

#include "worker/engine/quant/rounding.h"

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
  // kHalfAwayFromZero: a value is multiplied by `levels` and divided by `span`, and back.
  float span = 1;
  float levels = 1;
  // Derivatives of a clipped value by a learned step: below `low`, above `high`.
  float slope_below = 0;
  float slope_above = 0;
};

// With v = clamp(x, low, high):
//   kHalfToEven:        y = round(v / step) * step
//   kHalfAwayFromZero:  y = round(v * levels / span) * span / levels, from left to right.
// The integers must be below 2^22 (16 bits and more are fine). NaN in x or in the grid gives NaN.
void FakeQuantizeForward(const float* x, float* y, int64_t n, const Grid& grid, Rounding rounding);

// dx = dy where low <= x <= high, else 0 (also where x is NaN).
void FakeQuantizeBackward(const float* x, const float* dy, float* dx, int64_t n, const Grid& grid);

// Sum of dy * d, where d is slope_below if x < low, slope_above if x > high, and round(v) - v with
// v = x / step otherwise: the gradient of a learned step size, before its factor g.
double StepGradient(const float* x, const float* dy, int64_t n, const Grid& grid,
                    Rounding rounding);

// Sum of dy where x < low or x > high: the gradient of a learned offset, before its factor g.
double OffsetGradient(const float* x, const float* dy, int64_t n, const Grid& grid);

// Sum of dy where x > alpha, minus the sum of dy where x < -alpha: PACT's gradient of alpha.
double PactAlphaGradient(const float* x, const float* dy, int64_t n, float alpha);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_CPU_KERNELS_H_
