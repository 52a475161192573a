// The kernels of optimizer_step.h, compiled once per instruction set by Highway.

// They have nothing for these loops beyond the level below.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/engine/kernels/optimizer_step.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Only after foreach_target.h.
#include "hwy/highway.h"
#include "worker/engine/kernels/optimizer_step.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Calls step(d, i) for vectors that together are elements [0, count), of one lane for the last few.
template <class OneStep>
HWY_INLINE void ForEachVector(int64_t count, const OneStep& step) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> single;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) step(d, i);
  for (; i < count; ++i) step(single, i);
}

void Sgd(float* parameter, const float* gradient, float* momentum, int64_t count,
         const SgdNumbers& numbers) {
  ForEachVector(count, [&](auto d, int64_t i) HWY_ATTR {
    const auto value = hn::LoadU(d, parameter + i);
    const auto decayed =
        hn::MulAdd(hn::Set(d, numbers.weight_decay), value, hn::LoadU(d, gradient + i));
    const auto kept = hn::Mul(hn::Set(d, numbers.momentum), hn::LoadU(d, momentum + i));
    const auto moved = hn::Add(kept, decayed);
    hn::StoreU(moved, d, momentum + i);
    hn::StoreU(hn::NegMulAdd(hn::Set(d, numbers.rate), moved, value), d, parameter + i);
  });
}

void Adam(float* parameter, const float* gradient, const AdamState& state, int64_t count,
          const AdamNumbers& numbers) {
  ForEachVector(count, [&](auto d, int64_t i) HWY_ATTR {
    const auto value = hn::Mul(hn::Set(d, numbers.kept), hn::LoadU(d, parameter + i));
    const auto g = hn::MulAdd(hn::Set(d, numbers.weight_decay), value, hn::LoadU(d, gradient + i));
    const auto old_mean = hn::Mul(hn::Set(d, numbers.beta1), hn::LoadU(d, state.mean + i));
    const auto mean = hn::MulAdd(hn::Set(d, numbers.new_mean), g, old_mean);
    const auto old_square = hn::Mul(hn::Set(d, numbers.beta2), hn::LoadU(d, state.square + i));
    const auto part = hn::Mul(hn::Set(d, numbers.new_square), g);
    const auto square = hn::MulAdd(part, g, old_square);
    const auto root = hn::Add(hn::Div(hn::Sqrt(square), hn::Set(d, numbers.root_share)),
                              hn::Set(d, numbers.epsilon));
    const auto step = hn::Mul(hn::Set(d, numbers.rate), hn::Div(mean, root));
    hn::StoreU(mean, d, state.mean + i);
    hn::StoreU(square, d, state.square + i);
    hn::StoreU(hn::Sub(value, step), d, parameter + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace quantry::engine {

HWY_EXPORT(Sgd);
HWY_EXPORT(Adam);

void SgdStep(float* parameter, const float* gradient, float* momentum, int64_t count,
             const SgdNumbers& numbers) {
  HWY_DYNAMIC_DISPATCH(Sgd)(parameter, gradient, momentum, count, numbers);
}

void AdamStep(float* parameter, const float* gradient, const AdamState& state, int64_t count,
              const AdamNumbers& numbers) {
  HWY_DYNAMIC_DISPATCH(Adam)(parameter, gradient, state, count, numbers);
}

}  // namespace quantry::engine
#endif  // HWY_ONCE
