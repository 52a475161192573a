// The backward kernels of chain.h, compiled once per instruction set by Highway.

// They have nothing for these loops beyond the level below.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/engine/kernels/chain_backward.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Only after foreach_target.h.
#include "hwy/highway.h"
#include "worker/engine/kernels/chain.h"
#include "worker/engine/kernels/chain_inl.h"
#include "worker/engine/kernels/elements_inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <bool writes_operand>
struct BackwardSumsKernel {
  ConstElements x;
  ConstElements r;
  ConstElements dy;
  Elements dr;
  ChainSums sums;

  template <class D, class Ops>
  HWY_INLINE void operator()(D d, const Ops& ops, int64_t i, int64_t j) const {
    const auto distance = ops.Distance(x, i, j);
    const auto t = ops.Affine(distance, j);
    const auto of_sum = ops.BackToSum(t, r, dy, i);
    if constexpr (writes_operand) Store(of_sum, d, dr, i);
    const auto gradient = ops.BackToAffine(t, of_sum);
    const auto moment = hn::LoadU(d, sums.moment + j);
    hn::StoreU(hn::Add(hn::LoadU(d, sums.gradient + j), gradient), d, sums.gradient + j);
    hn::StoreU(hn::MulAdd(gradient, distance, moment), d, sums.moment + j);
  }
};

template <bool with_statistics>
struct BackwardInputKernel {
  ConstElements x;
  ConstElements r;
  ConstElements dy;
  Elements dx;
  ChainInputGradient input;

  template <class D, class Ops>
  HWY_INLINE void operator()(D d, const Ops& ops, int64_t i, int64_t j) const {
    const auto distance = ops.Distance(x, i, j);
    const auto t = ops.Affine(distance, j);
    const auto of_sum = ops.BackToSum(t, r, dy, i);
    auto gradient = ops.BackToAffine(t, of_sum);
    if constexpr (with_statistics) {
      const auto centred = hn::Sub(gradient, hn::LoadU(d, input.offset + j));
      gradient = hn::NegMulAdd(hn::LoadU(d, input.slope + j), distance, centred);
    }
    Store(hn::Mul(hn::LoadU(d, input.scale + j), gradient), d, dx, i);
  }
};

// Sums for what learns with a grid, in parts that are far enough apart not to wait for each other.
constexpr int64_t kParts = 4 * kMostLanes;

template <ChainGridPlace place>
struct GridSumsKernel {
  ConstElements x;
  ConstElements r;
  ConstElements dy;
  ChainGridProbe probe;
  float step;
  float* sums;  // below, above and rounding, kParts each

  template <class D, class Ops>
  HWY_INLINE void operator()(D d, const Ops& ops, int64_t i, int64_t j) const {
    const auto t = ops.Affine(ops.Distance(x, i, j), j);
    auto value = t;
    auto gradient = Load(d, dy, i);
    if constexpr (place == ChainGridPlace::kInner) gradient = ops.BackToSum(t, r, dy, i);
    if constexpr (place == ChainGridPlace::kOuter) value = ops.Activate(ops.Sum(t, r, i));
    const auto is_below = hn::Lt(value, hn::Set(d, probe.low));
    const auto is_above = hn::Gt(value, hn::Set(d, probe.high));
    const auto count = hn::Div(value, hn::Set(d, step));
    const auto rest = hn::Mul(gradient, hn::Sub(hn::Round(count), count));
    const int64_t part = i % kParts;
    Add(d, hn::IfThenElseZero(is_below, gradient), sums + part);
    Add(d, hn::IfThenElseZero(is_above, gradient), sums + kParts + part);
    Add(d, hn::IfThenZeroElse(hn::Or(is_below, is_above), rest), sums + 2 * kParts + part);
  }

  template <class D>
  static HWY_INLINE void Add(D d, Vec<D> value, float* sum) {
    hn::StoreU(hn::Add(hn::LoadU(d, sum), value), d, sum);
  }
};

void BackwardSums(ConstElements x, ConstElements r, ConstElements dy, Elements dr, int64_t rows,
                  const ElementwiseChain& chain, const ChainSums& sums) {
  if (dr.data == nullptr) {
    return Dispatch(chain, r, rows, BackwardSumsKernel<false>{x, r, dy, dr, sums});
  }
  Dispatch(chain, r, rows, BackwardSumsKernel<true>{x, r, dy, dr, sums});
}

void BackwardInput(ConstElements x, ConstElements r, ConstElements dy, Elements dx, int64_t rows,
                   const ElementwiseChain& chain, const ChainInputGradient& input) {
  if (input.slope == nullptr) {
    return Dispatch(chain, r, rows, BackwardInputKernel<false>{x, r, dy, dx, input});
  }
  Dispatch(chain, r, rows, BackwardInputKernel<true>{x, r, dy, dx, input});
}

void GridSums(ConstElements x, ConstElements r, ConstElements dy, int64_t rows,
              const ElementwiseChain& chain, const ChainGridProbe& probe, float* sums) {
  if (probe.place == ChainGridPlace::kInner) {
    return Dispatch(
        chain, r, rows,
        GridSumsKernel<ChainGridPlace::kInner>{x, r, dy, probe, chain.inner.step, sums});
  }
  Dispatch(chain, r, rows,
           GridSumsKernel<ChainGridPlace::kOuter>{x, r, dy, probe, chain.outer.step, sums});
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <numeric>

namespace quantry::engine {

HWY_EXPORT(BackwardSums);
HWY_EXPORT(BackwardInput);
HWY_EXPORT(GridSums);

void ChainBackwardSums(ConstElements x, ConstElements r, ConstElements dy, Elements dr,
                       int64_t rows, const ElementwiseChain& chain, const ChainSums& sums) {
  HWY_DYNAMIC_DISPATCH(BackwardSums)(x, r, dy, dr, rows, chain, sums);
}

void ChainBackwardInput(ConstElements x, ConstElements r, ConstElements dy, Elements dx,
                        int64_t rows, const ElementwiseChain& chain,
                        const ChainInputGradient& input) {
  HWY_DYNAMIC_DISPATCH(BackwardInput)(x, r, dy, dx, rows, chain, input);
}

ChainGridSums ChainGridSumsOf(ConstElements x, ConstElements r, ConstElements dy, int64_t rows,
                              const ElementwiseChain& chain, const ChainGridProbe& probe) {
  constexpr int64_t kParts = 4 * kMostLanes;
  float sums[3 * kParts] = {};
  HWY_DYNAMIC_DISPATCH(GridSums)(x, r, dy, rows, chain, probe, sums);
  const auto total = [&sums](int64_t which) {
    const float* first = sums + which * kParts;
    return std::accumulate(first, first + kParts, 0.0);
  };
  return {.below = total(0), .above = total(1), .rounding = total(2)};
}

}  // namespace quantry::engine
#endif  // HWY_ONCE
