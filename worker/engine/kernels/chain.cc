// The kernels of chain.h, compiled once per instruction set by Highway.

// They have nothing for these loops beyond the level below.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/engine/kernels/chain.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Only after foreach_target.h.
#include "hwy/highway.h"
#include "worker/engine/kernels/chain.h"
#include "worker/engine/kernels/elements_inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Which parts a chain has, known at compile time.
template <bool inner, bool operand, ChainActivation activation, bool outer>
struct Parts {
  static constexpr bool kInner = inner;
  static constexpr bool kOperand = operand;
  static constexpr ChainActivation kActivation = activation;
  static constexpr bool kOuter = outer;
};

// A grid in registers.
template <class D>
struct GridVectors {
  GridVectors(D d, const ChainGrid& grid)
      : low(hn::Set(d, grid.low)), high(hn::Set(d, grid.high)), step(hn::Set(d, grid.step)) {}

  // The value comes second: x86's minimum and maximum give that where one is NaN.
  HWY_INLINE Vec<D> Count(Vec<D> value) const {
    return hn::Round(hn::Div(hn::Min(high, hn::Max(low, value)), step));
  }
  HWY_INLINE Vec<D> Quantize(Vec<D> value) const { return hn::Mul(Count(value), step); }
  HWY_INLINE hn::Mask<D> Inside(Vec<D> value) const {
    return hn::And(hn::Ge(value, low), hn::Le(value, high));
  }

  Vec<D> low, high, step;
};

// The steps of a chain on one vector, forward and backward; names as in chain.h.
template <class P, class D>
class Chain {
 public:
  Chain(D d, const ElementwiseChain& chain)
      : d_(d),
        mean_(chain.mean),
        scale_(chain.scale),
        shift_(chain.shift),
        inner_(d, chain.inner),
        outer_(d, chain.outer),
        unit_(hn::Set(d, chain.gives_integers ? 1.0f : chain.outer.step)),
        operand_step_(hn::Set(d, chain.operand_step)),
        low_(hn::Set(d, chain.low)),
        high_(hn::Set(d, chain.high)),
        gradient_low_(hn::Set(d, chain.gradient_low)),
        gradient_high_(hn::Set(d, chain.gradient_high)) {}

  // How far x is from the mean; `j` is where the channels are in a period.
  HWY_INLINE Vec<D> Distance(const float* x, int64_t j) const {
    return hn::Sub(hn::LoadU(d_, x), hn::LoadU(d_, mean_ + j));
  }
  // t of that.
  HWY_INLINE Vec<D> Affine(Vec<D> distance, int64_t j) const {
    return hn::MulAdd(hn::LoadU(d_, scale_ + j), distance, hn::LoadU(d_, shift_ + j));
  }
  // v of t and the operand, which is element i of r.
  HWY_INLINE Vec<D> Sum(Vec<D> t, ConstElements r, int64_t i) const {
    Vec<D> v = t;
    if constexpr (P::kInner) v = inner_.Quantize(v);
    if constexpr (P::kOperand) v = hn::Add(v, hn::Mul(Load(d_, r, i), operand_step_));
    return v;
  }
  // w of v.
  HWY_INLINE Vec<D> Activate(Vec<D> v) const {
    if constexpr (P::kActivation == ChainActivation::kHardSwish) return hn::Mul(v, Gate(v));
    return hn::Min(high_, hn::Max(low_, v));
  }
  // y of w.
  HWY_INLINE Vec<D> Quantize(Vec<D> w) const {
    if constexpr (P::kOuter) return hn::Mul(outer_.Count(w), unit_);
    return w;
  }
  // The gradient of v from that of y.
  HWY_INLINE Vec<D> BackToSum(Vec<D> v, Vec<D> dy) const {
    Vec<D> gradient = dy;
    if constexpr (P::kOuter) {
      gradient = hn::IfThenElseZero(outer_.Inside(Activate(v)), gradient);
    }
    if constexpr (P::kActivation == ChainActivation::kHardSwish) {
      return hn::Mul(gradient, HardSwishSlope(v));
    }
    const auto inside = hn::And(hn::Ge(v, gradient_low_), hn::Le(v, gradient_high_));
    return hn::IfThenElseZero(inside, gradient);
  }
  // The same, with v computed again from t and the operand.
  HWY_INLINE Vec<D> BackToSum(Vec<D> t, ConstElements r, ConstElements dy, int64_t i) const {
    return BackToSum(Sum(t, r, i), Load(d_, dy, i));
  }
  // The gradient of t from that of v.
  HWY_INLINE Vec<D> BackToAffine(Vec<D> t, Vec<D> gradient) const {
    if constexpr (P::kInner) return hn::IfThenElseZero(inner_.Inside(t), gradient);
    return gradient;
  }

 private:
  // HardSwish(v) = v * clamp(v / 6 + 1 / 2, 0, 1) (Howard et al., 2019).
  HWY_INLINE Vec<D> Gate(Vec<D> v) const {
    const Vec<D> gate = hn::MulAdd(v, hn::Set(d_, 1.0f / 6.0f), hn::Set(d_, 0.5f));
    return hn::Min(hn::Set(d_, 1.0f), hn::Max(hn::Zero(d_), gate));
  }
  // Its derivative: v / 3 + 1 / 2 between -3 and 3, at both of which it is torch's 0 and 1.
  HWY_INLINE Vec<D> HardSwishSlope(Vec<D> v) const {
    const Vec<D> inner = hn::MulAdd(v, hn::Set(d_, 1.0f / 3.0f), hn::Set(d_, 0.5f));
    const Vec<D> upper = hn::IfThenElse(hn::Ge(v, hn::Set(d_, 3.0f)), hn::Set(d_, 1.0f), inner);
    return hn::IfThenZeroElse(hn::Le(v, hn::Set(d_, -3.0f)), upper);
  }

  D d_;
  const float* mean_;
  const float* scale_;
  const float* shift_;
  GridVectors<D> inner_;
  GridVectors<D> outer_;
  Vec<D> unit_;  // what y counts the outer grid's integers in
  Vec<D> operand_step_;
  Vec<D> low_, high_, gradient_low_, gradient_high_;
};

// Runs kernel(d, chain in registers, i, j) over all elements.
template <class P, class Kernel>
HWY_INLINE void RunChain(const ElementwiseChain& chain, int64_t rows, const Kernel& kernel) {
  const Chain<P, Wide> wide(Wide(), chain);
  const Chain<P, Single> single(Single(), chain);
  ForEachVector(
      rows * chain.channels, RowsPerPeriod(chain.channels) * chain.channels,
      [&](Wide d, int64_t i, int64_t j) HWY_ATTR { kernel(d, wide, i, j); },
      [&](Single d, int64_t i, int64_t j) HWY_ATTR { kernel(d, single, i, j); });
}

struct MomentsKernel {
  const float* x;
  ChannelMoments moments;

  template <class D>
  HWY_INLINE void operator()(D d, int64_t i, int64_t j) const {
    const auto value = hn::LoadU(d, x + i);
    const auto distance = hn::Sub(value, hn::LoadU(d, moments.origin + j));
    const auto square = hn::LoadU(d, moments.square + j);
    hn::StoreU(hn::Add(hn::LoadU(d, moments.sum + j), distance), d, moments.sum + j);
    hn::StoreU(hn::MulAdd(distance, distance, square), d, moments.square + j);
    hn::StoreU(hn::Min(hn::LoadU(d, moments.least + j), value), d, moments.least + j);
    hn::StoreU(hn::Max(hn::LoadU(d, moments.most + j), value), d, moments.most + j);
  }
};

struct ForwardKernel {
  const float* x;
  ConstElements r;
  Elements y;

  template <class D, class Ops>
  HWY_INLINE void operator()(D d, const Ops& ops, int64_t i, int64_t j) const {
    const auto t = ops.Affine(ops.Distance(x + i, j), j);
    Store(ops.Quantize(ops.Activate(ops.Sum(t, r, i))), d, y, i);
  }
};

struct RangeKernel {
  const float* x;
  ConstElements r;
  float* least;  // kMostLanes
  float* most;

  template <class D, class Ops>
  HWY_INLINE void operator()(D d, const Ops& ops, int64_t i, int64_t j) const {
    const auto w = ops.Activate(ops.Sum(ops.Affine(ops.Distance(x + i, j), j), r, i));
    // NaN gets in by the choice, and stays as the second operand.
    const auto is_nan = hn::IsNaN(w);
    hn::StoreU(hn::IfThenElse(is_nan, w, hn::Min(w, hn::LoadU(d, least))), d, least);
    hn::StoreU(hn::IfThenElse(is_nan, w, hn::Max(w, hn::LoadU(d, most))), d, most);
  }
};

template <bool writes_operand>
struct BackwardSumsKernel {
  const float* x;
  ConstElements r;
  ConstElements dy;
  Elements dr;
  ChainSums sums;

  template <class D, class Ops>
  HWY_INLINE void operator()(D d, const Ops& ops, int64_t i, int64_t j) const {
    const auto distance = ops.Distance(x + i, j);
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
  const float* x;
  ConstElements r;
  ConstElements dy;
  Elements dx;
  ChainInputGradient input;

  template <class D, class Ops>
  HWY_INLINE void operator()(D d, const Ops& ops, int64_t i, int64_t j) const {
    const auto distance = ops.Distance(x + i, j);
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

// Runs `kernel` with the parts that `chain` has.
template <bool inner, bool operand, ChainActivation activation, class Kernel>
HWY_INLINE void WithOuter(const ElementwiseChain& chain, int64_t rows, const Kernel& kernel) {
  if (chain.has_outer)
    return RunChain<Parts<inner, operand, activation, true>>(chain, rows, kernel);
  RunChain<Parts<inner, operand, activation, false>>(chain, rows, kernel);
}
template <bool inner, bool operand, class Kernel>
HWY_INLINE void WithActivation(const ElementwiseChain& chain, int64_t rows, const Kernel& kernel) {
  if (chain.activation == ChainActivation::kHardSwish) {
    return WithOuter<inner, operand, ChainActivation::kHardSwish>(chain, rows, kernel);
  }
  WithOuter<inner, operand, ChainActivation::kNone>(chain, rows, kernel);
}
template <class Kernel>
HWY_NOINLINE void Dispatch(const ElementwiseChain& chain, ConstElements r, int64_t rows,
                           const Kernel& kernel) {
  if (chain.has_inner && r.data != nullptr) return WithActivation<true, true>(chain, rows, kernel);
  if (chain.has_inner) return WithActivation<true, false>(chain, rows, kernel);
  if (r.data != nullptr) return WithActivation<false, true>(chain, rows, kernel);
  WithActivation<false, false>(chain, rows, kernel);
}

void Moments(const float* x, int64_t rows, int64_t channels, const ChannelMoments& moments) {
  const MomentsKernel kernel = {x, moments};
  ForEachVector(rows * channels, RowsPerPeriod(channels) * channels, kernel, kernel);
}

void Forward(const float* x, ConstElements r, Elements y, int64_t rows,
             const ElementwiseChain& chain) {
  Dispatch(chain, r, rows, ForwardKernel{x, r, y});
}

void Range(const float* x, ConstElements r, float* least, float* most, int64_t rows,
           const ElementwiseChain& chain) {
  Dispatch(chain, r, rows, RangeKernel{x, r, least, most});
}

void BackwardSums(const float* x, ConstElements r, ConstElements dy, Elements dr, int64_t rows,
                  const ElementwiseChain& chain, const ChainSums& sums) {
  if (dr.data == nullptr) {
    return Dispatch(chain, r, rows, BackwardSumsKernel<false>{x, r, dy, dr, sums});
  }
  Dispatch(chain, r, rows, BackwardSumsKernel<true>{x, r, dy, dr, sums});
}

void BackwardInput(const float* x, ConstElements r, ConstElements dy, Elements dx, int64_t rows,
                   const ElementwiseChain& chain, const ChainInputGradient& input) {
  if (input.slope == nullptr) {
    return Dispatch(chain, r, rows, BackwardInputKernel<false>{x, r, dy, dx, input});
  }
  Dispatch(chain, r, rows, BackwardInputKernel<true>{x, r, dy, dx, input});
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantry::engine {

HWY_EXPORT(Moments);
HWY_EXPORT(Forward);
HWY_EXPORT(Range);
HWY_EXPORT(BackwardSums);
HWY_EXPORT(BackwardInput);

int64_t RowsPerPeriod(int64_t channels) { return std::lcm(channels, kMostLanes) / channels; }

std::vector<float> Periodic(const std::vector<float>& per_channel) {
  const int64_t times = RowsPerPeriod(static_cast<int64_t>(per_channel.size()));
  std::vector<float> repeated;
  repeated.reserve(per_channel.size() * static_cast<size_t>(times));
  for (int64_t i = 0; i < times; ++i) {
    repeated.insert(repeated.end(), per_channel.begin(), per_channel.end());
  }
  return repeated;
}

void AccumulateMoments(const float* x, int64_t rows, int64_t channels,
                       const ChannelMoments& moments) {
  HWY_DYNAMIC_DISPATCH(Moments)(x, rows, channels, moments);
}

void ChainForward(const float* x, ConstElements r, Elements y, int64_t rows,
                  const ElementwiseChain& chain) {
  HWY_DYNAMIC_DISPATCH(Forward)(x, r, y, rows, chain);
}

ChainRange ChainRangeOf(const float* x, ConstElements r, int64_t rows,
                        const ElementwiseChain& chain) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float least[kMostLanes];
  float most[kMostLanes];
  std::fill_n(least, kMostLanes, kInfinity);
  std::fill_n(most, kMostLanes, -kInfinity);
  HWY_DYNAMIC_DISPATCH(Range)(x, r, least, most, rows, chain);
  ChainRange range = {kInfinity, -kInfinity};
  for (int64_t i = 0; i < kMostLanes; ++i) {
    if (std::isnan(least[i]) || std::isnan(most[i])) {
      return {std::nanf(""), std::nanf("")};
    }
    range = {std::min(range.least, least[i]), std::max(range.most, most[i])};
  }
  return range;
}

void ChainBackwardSums(const float* x, ConstElements r, ConstElements dy, Elements dr, int64_t rows,
                       const ElementwiseChain& chain, const ChainSums& sums) {
  HWY_DYNAMIC_DISPATCH(BackwardSums)(x, r, dy, dr, rows, chain, sums);
}

void ChainBackwardInput(const float* x, ConstElements r, ConstElements dy, Elements dx,
                        int64_t rows, const ElementwiseChain& chain,
                        const ChainInputGradient& input) {
  HWY_DYNAMIC_DISPATCH(BackwardInput)(x, r, dy, dx, rows, chain, input);
}

}  // namespace quantry::engine
#endif  // HWY_ONCE
