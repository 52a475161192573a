// The kernels of grid_rows.h, compiled once per instruction set by Highway.

// They have nothing for these loops beyond the level below.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/engine/kernels/grid_rows.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Only after foreach_target.h.
#include "hwy/highway.h"
#include "worker/engine/kernels/grid_rows.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
using Vec = hn::Vec<D>;

// Calls f(d, i, column) for vectors that together are all elements i of `rows` rows, of one lane
// for the last few of each.
template <class F>
HWY_INLINE void ForEachVector(int64_t rows, int64_t columns, const F& f) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> single;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t first = row * columns;
    int64_t column = 0;
    for (; column + lanes <= columns; column += lanes) f(d, first + column, column);
    for (; column < columns; ++column) f(single, first + column, column);
  }
}

void Quantize(const float* x, float* y, int64_t rows, const GridRow& grid) {
  ForEachVector(rows, grid.columns, [&](auto d, int64_t i, int64_t column) HWY_ATTR {
    // The value comes second: x86's minimum and maximum give that where one is NaN.
    const auto clamped = hn::Min(hn::LoadU(d, grid.high + column),
                                 hn::Max(hn::LoadU(d, grid.low + column), hn::LoadU(d, x + i)));
    const auto step = hn::LoadU(d, grid.step + column);
    hn::StoreU(hn::Mul(hn::Round(hn::Div(clamped, step)), step), d, y + i);
  });
}

void Mask(const float* x, const float* dy, float* dx, int64_t rows, const GridRow& grid) {
  ForEachVector(rows, grid.columns, [&](auto d, int64_t i, int64_t column) HWY_ATTR {
    const auto value = hn::LoadU(d, x + i);
    const auto inside = hn::And(hn::Ge(value, hn::LoadU(d, grid.low + column)),
                                hn::Le(value, hn::LoadU(d, grid.high + column)));
    hn::StoreU(hn::IfThenElseZero(inside, hn::LoadU(d, dy + i)), d, dx + i);
  });
}

void AddStepGradient(const float* x, const float* dy, int64_t rows, const GridRow& grid,
                     float below, float above, float* sums) {
  ForEachVector(rows, grid.columns, [&](auto d, int64_t i, int64_t column) HWY_ATTR {
    const auto value = hn::LoadU(d, x + i);
    const auto count = hn::Div(value, hn::LoadU(d, grid.step + column));
    auto slope = hn::Sub(hn::Round(count), count);
    const auto is_below = hn::Lt(value, hn::LoadU(d, grid.low + column));
    const auto is_above = hn::Gt(value, hn::LoadU(d, grid.high + column));
    slope = hn::IfThenElse(is_below, hn::Set(d, below), slope);
    slope = hn::IfThenElse(is_above, hn::Set(d, above), slope);
    const auto sum = hn::MulAdd(slope, hn::LoadU(d, dy + i), hn::LoadU(d, sums + column));
    hn::StoreU(sum, d, sums + column);
  });
}

void RaiseToMagnitudes(const float* x, int64_t rows, int64_t columns, float* most) {
  ForEachVector(rows, columns, [&](auto d, int64_t i, int64_t column) HWY_ATTR {
    const auto magnitude = hn::Abs(hn::LoadU(d, x + i));
    const auto seen = hn::LoadU(d, most + column);
    // NaN gets in by the choice, and stays as the second operand.
    const auto larger = hn::Max(magnitude, seen);
    hn::StoreU(hn::IfThenElse(hn::IsNaN(magnitude), magnitude, larger), d, most + column);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantry::engine {

HWY_EXPORT(Quantize);
HWY_EXPORT(Mask);
HWY_EXPORT(AddStepGradient);
HWY_EXPORT(RaiseToMagnitudes);

void QuantizeRows(const float* x, float* y, int64_t rows, const GridRow& grid) {
  HWY_DYNAMIC_DISPATCH(Quantize)(x, y, rows, grid);
}

void MaskRows(const float* x, const float* dy, float* dx, int64_t rows, const GridRow& grid) {
  HWY_DYNAMIC_DISPATCH(Mask)(x, dy, dx, rows, grid);
}

void AddStepGradientOfRows(const float* x, const float* dy, int64_t rows, const GridRow& grid,
                           float below, float above, float* sums) {
  HWY_DYNAMIC_DISPATCH(AddStepGradient)(x, dy, rows, grid, below, above, sums);
}

void RaiseToMagnitudesOfRows(const float* x, int64_t rows, int64_t columns, float* most) {
  HWY_DYNAMIC_DISPATCH(RaiseToMagnitudes)(x, rows, columns, most);
}

}  // namespace quantry::engine
#endif  // HWY_ONCE
