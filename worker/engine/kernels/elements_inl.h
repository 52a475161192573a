// What kernels of elements.h share, for each instruction set that the including file is compiled
// for (Highway's way: the guard changes sides each time).
#if defined(QUANTRY_WORKER_ENGINE_KERNELS_ELEMENTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTRY_WORKER_ENGINE_KERNELS_ELEMENTS_INL_H_
#undef QUANTRY_WORKER_ENGINE_KERNELS_ELEMENTS_INL_H_
#else
#define QUANTRY_WORKER_ENGINE_KERNELS_ELEMENTS_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "worker/engine/kernels/elements.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
using Vec = hn::Vec<D>;

// bf16 is handled as its 16 bits. The type is asked for at each vector: the same answer every time,
// which costs next to nothing, where a kernel for each combination of types would be a hundred of
// them.
template <class D>
HWY_INLINE Vec<D> Load(D d, ConstElements from, int64_t i) {
  if (from.type == ElementType::kFloat32) {
    return hn::LoadU(d, static_cast<const float*>(from.data) + i);
  }
  const hn::Rebind<uint16_t, D> halves;
  const hn::Rebind<uint32_t, D> bits;
  const auto upper = hn::LoadU(halves, static_cast<const uint16_t*>(from.data) + i);
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(bits, upper)));
}

template <class D>
HWY_INLINE void Store(Vec<D> value, D d, Elements to, int64_t i) {
  if (to.type == ElementType::kFloat32) {
    return hn::StoreU(value, d, static_cast<float*>(to.data) + i);
  }
  const hn::Rebind<uint16_t, D> halves;
  const hn::Rebind<uint32_t, D> unsigned_bits;
  const hn::Rebind<int32_t, D> bits;
  // Adding just below half of what is cut off, and one more where what is kept is odd.
  const auto all = hn::BitCast(unsigned_bits, value);
  const auto odd = hn::And(hn::ShiftRight<16>(all), hn::Set(unsigned_bits, 1u));
  const auto rounded = hn::Add(all, hn::Add(odd, hn::Set(unsigned_bits, 0x7FFFu)));
  // Not negative as an int32, so that DemoteTo's saturation leaves it alone.
  const auto upper = hn::BitCast(bits, hn::ShiftRight<16>(rounded));
  hn::StoreU(hn::DemoteTo(halves, upper), halves, static_cast<uint16_t*>(to.data) + i);
}

using Wide = hn::CappedTag<float, kMostLanes>;
using Single = hn::CappedTag<float, 1>;

// Calls wide(d, i, j) for vectors that together are elements [0, count) of memory, and single(d, i,
// j) for the few that are left: i is where in memory, j where in a period.
template <class WideBody, class SingleBody>
HWY_INLINE void ForEachVector(int64_t count, int64_t period, const WideBody& wide,
                              const SingleBody& single) {
  const Wide d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t begin = 0;
  for (; begin + period <= count; begin += period) {
    for (int64_t j = 0; j < period; j += lanes) wide(d, begin + j, j);
  }
  int64_t j = 0;
  for (; begin + j + lanes <= count; j += lanes) wide(d, begin + j, j);
  for (; begin + j < count; ++j) single(Single(), begin + j, j);
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_ELEMENTS_INL_H_
