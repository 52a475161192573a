// The kernel of sgd_step.h, compiled once per instruction set by Highway.

// They have nothing for this loop beyond the level below.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/engine/kernels/sgd_step.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Only after foreach_target.h.
#include "hwy/highway.h"
#include "worker/engine/kernels/sgd_step.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE void StepOne(D d, float* parameter, const float* gradient, float* momentum,
                        const SgdNumbers& numbers) {
  const auto value = hn::LoadU(d, parameter);
  const auto decayed = hn::MulAdd(hn::Set(d, numbers.weight_decay), value, hn::LoadU(d, gradient));
  const auto kept = hn::Mul(hn::Set(d, numbers.momentum), hn::LoadU(d, momentum));
  const auto moved = hn::Add(kept, decayed);
  hn::StoreU(moved, d, momentum);
  hn::StoreU(hn::NegMulAdd(hn::Set(d, numbers.rate), moved, value), d, parameter);
}

void Step(float* parameter, const float* gradient, float* momentum, int64_t count,
          const SgdNumbers& numbers) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> single;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    StepOne(d, parameter + i, gradient + i, momentum + i, numbers);
  }
  for (; i < count; ++i) StepOne(single, parameter + i, gradient + i, momentum + i, numbers);
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace quantry::engine {

HWY_EXPORT(Step);

void SgdStep(float* parameter, const float* gradient, float* momentum, int64_t count,
             const SgdNumbers& numbers) {
  HWY_DYNAMIC_DISPATCH(Step)(parameter, gradient, momentum, count, numbers);
}

}  // namespace quantry::engine
#endif  // HWY_ONCE
