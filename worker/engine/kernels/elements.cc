// The kernels of elements.h, compiled once per instruction set by Highway.

// They have nothing for these loops beyond the level below.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/engine/kernels/elements.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Only after foreach_target.h.
#include "hwy/highway.h"
#include "worker/engine/kernels/elements.h"
#include "worker/engine/kernels/elements_inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

void ToFloat(ConstElements from, float factor, float* to, int64_t count) {
  const auto body = [&](auto d, int64_t i, int64_t) HWY_ATTR {
    hn::StoreU(hn::Mul(Load(d, from, i), hn::Set(d, factor)), d, to + i);
  };
  ForEachVector(count, kMostLanes, body, body);
}

void FromFloat(const float* from, Elements to, int64_t count) {
  const auto body = [&](auto d, int64_t i, int64_t)
                        HWY_ATTR { Store(hn::LoadU(d, from + i), d, to, i); };
  ForEachVector(count, kMostLanes, body, body);
}

void Count(const float* from, float step, Elements to, int64_t count) {
  const auto body = [&](auto d, int64_t i, int64_t) HWY_ATTR {
    Store(hn::Round(hn::Div(hn::LoadU(d, from + i), hn::Set(d, step))), d, to, i);
  };
  ForEachVector(count, kMostLanes, body, body);
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace quantry::engine {

HWY_EXPORT(ToFloat);
HWY_EXPORT(FromFloat);
HWY_EXPORT(Count);

namespace {

int64_t BytesOf(ElementType type) { return type == ElementType::kBf16 ? 2 : 4; }

}  // namespace

Elements From(Elements elements, int64_t first) {
  if (elements.data == nullptr) return elements;
  return {static_cast<char*>(elements.data) + first * BytesOf(elements.type), elements.type};
}

ConstElements From(ConstElements elements, int64_t first) {
  if (elements.data == nullptr) return elements;
  return {static_cast<const char*>(elements.data) + first * BytesOf(elements.type), elements.type};
}

void ElementsToFloat(ConstElements from, float factor, float* to, int64_t count) {
  HWY_DYNAMIC_DISPATCH(ToFloat)(from, factor, to, count);
}

void FloatToElements(const float* from, Elements to, int64_t count) {
  HWY_DYNAMIC_DISPATCH(FromFloat)(from, to, count);
}

void CountSteps(const float* from, float step, Elements to, int64_t count) {
  HWY_DYNAMIC_DISPATCH(Count)(from, step, to, count);
}

}  // namespace quantry::engine
#endif  // HWY_ONCE
