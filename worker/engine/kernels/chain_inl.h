// The steps of kernels/chain.h on vectors, for each instruction set that the including file is
// compiled for (Highway's way: the guard changes sides each time).
#if defined(QUANTRY_WORKER_ENGINE_KERNELS_CHAIN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTRY_WORKER_ENGINE_KERNELS_CHAIN_INL_H_
#undef QUANTRY_WORKER_ENGINE_KERNELS_CHAIN_INL_H_
#else
#define QUANTRY_WORKER_ENGINE_KERNELS_CHAIN_INL_H_
#endif

#include "hwy/highway.h"
#include "worker/engine/kernels/chain.h"
#include "worker/engine/kernels/curves_inl.h"
#include "worker/engine/kernels/elements_inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Which parts a chain has, known at compile time.
template <bool inner, bool operand, bool curve, bool outer>
struct Parts {
  static constexpr bool kInner = inner;
  static constexpr bool kOperand = operand;
  static constexpr bool kCurve = curve;  // the activation is not a clamp
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
        chain_(chain),
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

  // How far element i of x is from the mean; `j` is where the channels are in a period.
  HWY_INLINE Vec<D> Distance(ConstElements x, int64_t i, int64_t j) const {
    return hn::Sub(Load(d_, x, i), hn::LoadU(d_, mean_ + j));
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
    if constexpr (P::kCurve) return Curve(d_, chain_, v);
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
    if constexpr (P::kCurve) return hn::Mul(gradient, CurveSlope(d_, chain_, v));
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
  D d_;
  const ElementwiseChain& chain_;
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

// Runs `kernel` with the parts that `chain` has.
template <bool inner, bool operand, bool curve, class Kernel>
HWY_INLINE void WithOuter(const ElementwiseChain& chain, int64_t rows, const Kernel& kernel) {
  if (chain.has_outer) return RunChain<Parts<inner, operand, curve, true>>(chain, rows, kernel);
  RunChain<Parts<inner, operand, curve, false>>(chain, rows, kernel);
}
template <bool inner, bool operand, class Kernel>
HWY_INLINE void WithActivation(const ElementwiseChain& chain, int64_t rows, const Kernel& kernel) {
  if (chain.activation != ChainActivation::kClamp) {
    return WithOuter<inner, operand, true>(chain, rows, kernel);
  }
  WithOuter<inner, operand, false>(chain, rows, kernel);
}
template <class Kernel>
HWY_NOINLINE void Dispatch(const ElementwiseChain& chain, ConstElements r, int64_t rows,
                           const Kernel& kernel) {
  if (chain.has_inner && r.data != nullptr) return WithActivation<true, true>(chain, rows, kernel);
  if (chain.has_inner) return WithActivation<true, false>(chain, rows, kernel);
  if (r.data != nullptr) return WithActivation<false, true>(chain, rows, kernel);
  WithActivation<false, false>(chain, rows, kernel);
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_CHAIN_INL_H_
