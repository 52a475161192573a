// The forward kernels of chain.h, compiled once per instruction set by Highway.

// They have nothing for these loops beyond the level below.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/engine/kernels/chain.cc"
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
  ConstElements x;
  ConstElements r;
  Elements y;

  template <class D, class Ops>
  HWY_INLINE void operator()(D d, const Ops& ops, int64_t i, int64_t j) const {
    const auto t = ops.Affine(ops.Distance(x, i, j), j);
    Store(ops.Quantize(ops.Activate(ops.Sum(t, r, i))), d, y, i);
  }
};

struct RangeKernel {
  ConstElements x;
  ConstElements r;
  float* least;  // kMostLanes
  float* most;

  template <class D, class Ops>
  HWY_INLINE void operator()(D d, const Ops& ops, int64_t i, int64_t j) const {
    const auto w = ops.Activate(ops.Sum(ops.Affine(ops.Distance(x, i, j), j), r, i));
    // NaN gets in by the choice, and stays as the second operand.
    const auto is_nan = hn::IsNaN(w);
    hn::StoreU(hn::IfThenElse(is_nan, w, hn::Min(w, hn::LoadU(d, least))), d, least);
    hn::StoreU(hn::IfThenElse(is_nan, w, hn::Max(w, hn::LoadU(d, most))), d, most);
  }
};

void Moments(const float* x, int64_t rows, int64_t channels, const ChannelMoments& moments) {
  const MomentsKernel kernel = {x, moments};
  ForEachVector(rows * channels, RowsPerPeriod(channels) * channels, kernel, kernel);
}

void Forward(ConstElements x, ConstElements r, Elements y, int64_t rows,
             const ElementwiseChain& chain) {
  Dispatch(chain, r, rows, ForwardKernel{x, r, y});
}

void Range(ConstElements x, ConstElements r, float* least, float* most, int64_t rows,
           const ElementwiseChain& chain) {
  Dispatch(chain, r, rows, RangeKernel{x, r, least, most});
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

void ChainForward(ConstElements x, ConstElements r, Elements y, int64_t rows,
                  const ElementwiseChain& chain) {
  HWY_DYNAMIC_DISPATCH(Forward)(x, r, y, rows, chain);
}

ChainRange ChainRangeOf(ConstElements x, ConstElements r, int64_t rows,
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

}  // namespace quantry::engine
#endif  // HWY_ONCE
