// The activations of kernels/chain.h that are not mere clamps, for each instruction set that the
// including file is compiled for (Highway's way: the guard changes sides each time).
#if defined(QUANTRY_WORKER_ENGINE_KERNELS_CURVES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTRY_WORKER_ENGINE_KERNELS_CURVES_INL_H_
#undef QUANTRY_WORKER_ENGINE_KERNELS_CURVES_INL_H_
#else
#define QUANTRY_WORKER_ENGINE_KERNELS_CURVES_INL_H_
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "worker/engine/kernels/chain.h"
#include "worker/engine/kernels/elements_inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// 1 / (1 + e^-v), by e^-|v|, which can't be too large.
template <class D>
HWY_INLINE Vec<D> SigmoidOf(D d, Vec<D> v) {
  const auto one = hn::Set(d, 1.0f);
  const auto e = hn::Exp(d, hn::Neg(hn::Abs(v)));
  const auto upper = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), e, one);
  return hn::IfThenElse(hn::IsNaN(v), v, hn::Div(upper, hn::Add(one, e)));
}

// The normal distribution at v: how much lies below, and its density.
template <class D>
struct Normal {
  // The error function as in Abramowitz & Stegun, 7.1.26: to 1.5e-7.
  HWY_INLINE Normal(D d, Vec<D> v) {
    const auto one = hn::Set(d, 1.0f);
    const auto half = hn::Set(d, 0.5f);
    const auto bell = hn::Exp(d, hn::Neg(hn::Mul(half, hn::Mul(v, v))));
    const auto distance = hn::Mul(hn::Abs(v), hn::Set(d, 0.70710678f));
    const auto t = hn::Div(one, hn::MulAdd(distance, hn::Set(d, 0.3275911f), one));
    auto sum = hn::MulAdd(t, hn::Set(d, 1.061405429f), hn::Set(d, -1.453152027f));
    sum = hn::MulAdd(t, sum, hn::Set(d, 1.421413741f));
    sum = hn::MulAdd(t, sum, hn::Set(d, -0.284496736f));
    sum = hn::MulAdd(t, sum, hn::Set(d, 0.254829592f));
    const auto beyond = hn::Mul(half, hn::Mul(bell, hn::Mul(t, sum)));
    below = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), beyond, hn::Sub(one, beyond));
    density = hn::Mul(hn::Set(d, 0.39894228f), bell);
  }

  Vec<D> below, density;
};

// What kGeluTanh takes the sigmoid of, 2 * sqrt(2 / pi) * (v + 0.044715 v^3), and its derivative.
template <class D>
HWY_INLINE Vec<D> Cubic(D d, Vec<D> v) {
  const auto inner = hn::MulAdd(hn::Mul(v, v), hn::Set(d, 0.044715f), hn::Set(d, 1.0f));
  return hn::Mul(hn::Set(d, 1.5957691f), hn::Mul(v, inner));
}
template <class D>
HWY_INLINE Vec<D> CubicSlope(D d, Vec<D> v) {
  const auto inner = hn::MulAdd(hn::Mul(v, v), hn::Set(d, 0.134145f), hn::Set(d, 1.0f));
  return hn::Mul(hn::Set(d, 1.5957691f), inner);
}

// clamp(slope * v + offset, 0, 1).
template <class D>
HWY_INLINE Vec<D> Ramp(D d, Vec<D> v, float slope, float offset) {
  const auto line = hn::MulAdd(v, hn::Set(d, slope), hn::Set(d, offset));
  return hn::Min(hn::Set(d, 1.0f), hn::Max(hn::Zero(d), line));
}

template <class D>
HWY_INLINE Vec<D> HardSwish(D d, Vec<D> v) {
  return hn::Mul(v, Ramp(d, v, 1.0f / 6.0f, 0.5f));
}

// Its derivative: v / 3 + 1 / 2 between -3 and 3, at both of which it is torch's 0 and 1.
template <class D>
HWY_INLINE Vec<D> HardSwishSlope(D d, Vec<D> v) {
  const auto inner = hn::MulAdd(v, hn::Set(d, 1.0f / 3.0f), hn::Set(d, 0.5f));
  const auto upper = hn::IfThenElse(hn::Ge(v, hn::Set(d, 3.0f)), hn::Set(d, 1.0f), inner);
  return hn::IfThenZeroElse(hn::Le(v, hn::Set(d, -3.0f)), upper);
}

// The activation of v. Which one is asked for at each vector: the same answer every time, which
// costs next to nothing.
template <class D>
HWY_INLINE Vec<D> Curve(D d, const ElementwiseChain& chain, Vec<D> v) {
  switch (chain.activation) {
    case ChainActivation::kHardSwish:
      return HardSwish(d, v);
    case ChainActivation::kHardSigmoid:
      return Ramp(d, v, chain.slope, chain.offset);
    case ChainActivation::kSigmoid:
      return SigmoidOf(d, v);
    case ChainActivation::kSilu:
      return hn::Mul(v, SigmoidOf(d, v));
    case ChainActivation::kGelu:
      return hn::Mul(v, Normal<D>(d, v).below);
    case ChainActivation::kGeluTanh:
      return hn::Mul(v, SigmoidOf(d, Cubic(d, v)));
    case ChainActivation::kLeakyRelu:
      return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(hn::Set(d, chain.slope), v), v);
    case ChainActivation::kClamp:
      break;
  }
  return v;
}

// Its derivative at v.
template <class D>
HWY_INLINE Vec<D> CurveSlope(D d, const ElementwiseChain& chain, Vec<D> v) {
  const auto one = hn::Set(d, 1.0f);
  switch (chain.activation) {
    case ChainActivation::kHardSwish:
      return HardSwishSlope(d, v);
    case ChainActivation::kHardSigmoid: {
      const auto ramp = Ramp(d, v, chain.slope, chain.offset);
      const auto inside = hn::And(hn::Gt(ramp, hn::Zero(d)), hn::Lt(ramp, one));
      return hn::IfThenElseZero(inside, hn::Set(d, chain.slope));
    }
    case ChainActivation::kSigmoid: {
      const auto s = SigmoidOf(d, v);
      return hn::Mul(s, hn::Sub(one, s));
    }
    case ChainActivation::kSilu: {
      const auto s = SigmoidOf(d, v);
      return hn::Mul(s, hn::MulAdd(v, hn::Sub(one, s), one));
    }
    case ChainActivation::kGelu: {
      const Normal<D> normal(d, v);
      return hn::MulAdd(v, normal.density, normal.below);
    }
    case ChainActivation::kGeluTanh: {
      const auto s = SigmoidOf(d, Cubic(d, v));
      const auto of_s = hn::Mul(hn::Mul(s, hn::Sub(one, s)), CubicSlope(d, v));
      return hn::MulAdd(v, of_s, s);
    }
    case ChainActivation::kLeakyRelu:
      return hn::IfThenElse(hn::Gt(v, hn::Zero(d)), one, hn::Set(d, chain.slope));
    case ChainActivation::kClamp:
      break;
  }
  return one;
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_CURVES_INL_H_
