#include "worker/engine/quant/cpu_kernels.h"

#include <algorithm>
#include <bit>

// Each loop is written once, as an always-inlined function, and compiled twice: for the baseline
// and for AVX2. A function with target("avx2") may inline one without.
#define QUANTRY_INLINE inline __attribute__((always_inline))
#if defined(__x86_64__) && defined(__GNUC__)
#define QUANTRY_HAS_AVX2_CLONES 1
#define QUANTRY_AVX2 __attribute__((target("avx2")))
#else
#define QUANTRY_HAS_AVX2_CLONES 0
#endif

namespace quantry::engine {
namespace {

// Adding and subtracting 1.5 * 2^23 rounds a float below 2^22 to a whole number, halves to even.
constexpr float kRoundMagic = 12582912.0f;
constexpr int kLanes = 16;

// Without the sign bit, floats order like their bits as integers, and NaN is above infinity: an
// integer maximum is the exact |x| maximum and keeps NaN.
QUANTRY_INLINE float AbsMaxLoop(const float* __restrict x, int64_t n) {
  int32_t largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int32_t bits = std::bit_cast<int32_t>(x[i]) & 0x7fffffff;
    largest = bits > largest ? bits : largest;
  }
  return std::bit_cast<float>(largest);
}

QUANTRY_INLINE float RoundHalfToEven(float value) { return (value + kRoundMagic) - kRoundMagic; }

// Halves away from zero. Only where the distance to the even neighbour is +0.5 has the magic gone
// the other way; the difference of two neighbouring floats is exact.
QUANTRY_INLINE float RoundHalfAway(float value) {
  const float magnitude = std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0x7fffffffu);
  const float even = RoundHalfToEven(magnitude);
  const float rounded = magnitude - even == 0.5f ? even + 1.0f : even;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(rounded) |
                              (std::bit_cast<uint32_t>(value) & 0x80000000u));
}

template <Rounding rounding>
QUANTRY_INLINE float RoundTo(float value) {
  return rounding == Rounding::kHalfToEven ? RoundHalfToEven(value) : RoundHalfAway(value);
}

template <Rounding rounding>
QUANTRY_INLINE void ForwardLoop(const float* __restrict x, float* __restrict y, int64_t n,
                                const Grid& grid) {
  const float low = grid.low, high = grid.high, step = grid.step;
  const float span = grid.span, levels = grid.levels;
  for (int64_t i = 0; i < n; ++i) {
    float value = x[i];
    value = value > high ? high : value;
    value = value < low ? low : value;
    y[i] = rounding == Rounding::kHalfToEven ? RoundHalfToEven(value / step) * step
                                             : RoundHalfAway(value * levels / span) * span / levels;
  }
}

QUANTRY_INLINE void BackwardLoop(const float* __restrict x, const float* __restrict dy,
                                 float* __restrict dx, int64_t n, const Grid& grid) {
  const float low = grid.low, high = grid.high;
  for (int64_t i = 0; i < n; ++i) {
    const float gradient = dy[i];
    const float below = x[i] >= low ? gradient : 0.0f;
    dx[i] = x[i] <= high ? below : 0.0f;
  }
}

// Of one element: dy times the derivative of its quantized value by the step.
template <Rounding rounding>
QUANTRY_INLINE float StepTerm(float x, float dy, const Grid& grid) {
  const float v = x / grid.step;
  // The magic only rounds what is in range; what is not, is replaced by a bound.
  float derivative = RoundTo<rounding>(v) - v;
  derivative = x > grid.high ? grid.slope_above : derivative;
  derivative = x < grid.low ? grid.slope_below : derivative;
  return dy * derivative;
}

QUANTRY_INLINE float OffsetTerm(float x, float dy, const Grid& grid) {
  const float above = x > grid.high ? dy : 0.0f;
  return x < grid.low ? dy : above;
}

template <Rounding rounding>
QUANTRY_INLINE double StepLoop(const float* __restrict x, const float* __restrict dy, int64_t n,
                               const Grid& grid) {
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      sums[lane] += StepTerm<rounding>(x[i + lane], dy[i + lane], grid);
    }
  }
  double total = 0;
  for (const float sum : sums) total += sum;
  for (; i < n; ++i) total += StepTerm<rounding>(x[i], dy[i], grid);
  return total;
}

QUANTRY_INLINE double OffsetLoop(const float* __restrict x, const float* __restrict dy, int64_t n,
                                 const Grid& grid) {
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      sums[lane] += OffsetTerm(x[i + lane], dy[i + lane], grid);
    }
  }
  double total = 0;
  for (const float sum : sums) total += sum;
  for (; i < n; ++i) total += OffsetTerm(x[i], dy[i], grid);
  return total;
}

QUANTRY_INLINE double AlphaLoop(const float* __restrict x, const float* __restrict dy, int64_t n,
                                float alpha) {
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float value = x[i + lane];
      const float gradient = dy[i + lane];
      const float above = value > alpha ? gradient : 0.0f;
      const float below = value < -alpha ? gradient : 0.0f;
      sums[lane] += above - below;
    }
  }
  double total = 0;
  for (const float sum : sums) total += sum;
  for (; i < n; ++i) {
    if (x[i] > alpha) total += dy[i];
    if (x[i] < -alpha) total -= dy[i];
  }
  return total;
}

#if QUANTRY_HAS_AVX2_CLONES
QUANTRY_AVX2 float AbsMaxAvx2(const float* x, int64_t n) { return AbsMaxLoop(x, n); }
template <Rounding rounding>
QUANTRY_AVX2 void ForwardAvx2(const float* x, float* y, int64_t n, const Grid& grid) {
  ForwardLoop<rounding>(x, y, n, grid);
}
QUANTRY_AVX2 void BackwardAvx2(const float* x, const float* dy, float* dx, int64_t n,
                               const Grid& grid) {
  BackwardLoop(x, dy, dx, n, grid);
}
template <Rounding rounding>
QUANTRY_AVX2 double StepAvx2(const float* x, const float* dy, int64_t n, const Grid& grid) {
  return StepLoop<rounding>(x, dy, n, grid);
}
QUANTRY_AVX2 double OffsetAvx2(const float* x, const float* dy, int64_t n, const Grid& grid) {
  return OffsetLoop(x, dy, n, grid);
}
QUANTRY_AVX2 double AlphaAvx2(const float* x, const float* dy, int64_t n, float alpha) {
  return AlphaLoop(x, dy, n, alpha);
}

bool HasAvx2() {
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  return has_avx2;
}
#endif

}  // namespace

#if QUANTRY_HAS_AVX2_CLONES
#define QUANTRY_DISPATCH(avx2_call) \
  if (HasAvx2()) return avx2_call
#else
#define QUANTRY_DISPATCH(avx2_call)
#endif

float AbsMax(const float* x, int64_t n) {
  QUANTRY_DISPATCH(AbsMaxAvx2(x, n));
  return AbsMaxLoop(x, n);
}

namespace {

template <Rounding rounding>
void ForwardWith(const float* x, float* y, int64_t n, const Grid& grid) {
  QUANTRY_DISPATCH(ForwardAvx2<rounding>(x, y, n, grid));
  ForwardLoop<rounding>(x, y, n, grid);
}

template <Rounding rounding>
double StepGradientWith(const float* x, const float* dy, int64_t n, const Grid& grid) {
  QUANTRY_DISPATCH(StepAvx2<rounding>(x, dy, n, grid));
  return StepLoop<rounding>(x, dy, n, grid);
}

}  // namespace

void FakeQuantizeForward(const float* x, float* y, int64_t n, const Grid& grid, Rounding rounding) {
  if (rounding == Rounding::kHalfToEven) {
    ForwardWith<Rounding::kHalfToEven>(x, y, n, grid);
  } else {
    ForwardWith<Rounding::kHalfAwayFromZero>(x, y, n, grid);
  }
}

void FakeQuantizeBackward(const float* x, const float* dy, float* dx, int64_t n, const Grid& grid) {
  QUANTRY_DISPATCH(BackwardAvx2(x, dy, dx, n, grid));
  BackwardLoop(x, dy, dx, n, grid);
}

double StepGradient(const float* x, const float* dy, int64_t n, const Grid& grid,
                    Rounding rounding) {
  return rounding == Rounding::kHalfToEven
             ? StepGradientWith<Rounding::kHalfToEven>(x, dy, n, grid)
             : StepGradientWith<Rounding::kHalfAwayFromZero>(x, dy, n, grid);
}

double OffsetGradient(const float* x, const float* dy, int64_t n, const Grid& grid) {
  QUANTRY_DISPATCH(OffsetAvx2(x, dy, n, grid));
  return OffsetLoop(x, dy, n, grid);
}

double PactAlphaGradient(const float* x, const float* dy, int64_t n, float alpha) {
  QUANTRY_DISPATCH(AlphaAvx2(x, dy, n, alpha));
  return AlphaLoop(x, dy, n, alpha);
}

}  // namespace quantry::engine
