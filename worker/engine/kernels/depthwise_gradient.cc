// The kernel of depthwise_gradient.h, compiled once per instruction set by Highway.

// They have nothing for this loop beyond the level below.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/engine/kernels/depthwise_gradient.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Only after foreach_target.h.
#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "worker/engine/kernels/depthwise_gradient.h"
#include "worker/engine/kernels/elements_inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantry::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// What one column of the kernel sees: column `offset + stride * c` of x from column c of dy, for
// those in [first, end), whose are inside.
struct Columns {
  Columns(const ConvolutionShape& shape, int64_t column)
      : offset(column * shape.dilations[1] - shape.begin[1]) {
    const int64_t stride = shape.strides[1];
    first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    const int64_t inside =
        shape.picture[1] > offset ? (shape.picture[1] - 1 - offset) / stride + 1 : 0;
    end = std::min(shape.Result()[1], inside);
  }

  int64_t offset;
  int64_t first;
  int64_t end;
};

// One row of the kernel and one row of dy, for the channels of a vector.
template <class D>
HWY_INLINE void AddRow(D d, const ConvolutionShape& shape, const std::vector<Columns>& seen,
                       ConstElements x, ConstElements dy, float* sums) {
  const int64_t channels = shape.out_channels;
  const int64_t stride = shape.strides[1];
  for (const Columns& columns : seen) {
    // Two sums, so that one addition need not wait for the other.
    auto even = hn::Zero(d);
    auto odd = hn::Zero(d);
    const auto product = [&](int64_t at, Vec<D> sum) HWY_ATTR {
      return hn::MulAdd(Load(d, dy, at * channels),
                        Load(d, x, (at * stride + columns.offset) * channels), sum);
    };
    int64_t column = columns.first;
    for (; column + 1 < columns.end; column += 2) {
      even = product(column, even);
      odd = product(column + 1, odd);
    }
    if (column < columns.end) even = product(column, even);
    hn::StoreU(hn::Add(hn::LoadU(d, sums), hn::Add(even, odd)), d, sums);
    sums += channels;
  }
}

template <class D>
HWY_INLINE void AddAll(D d, const ConvolutionShape& shape, const std::vector<Columns>& seen,
                       ConstElements x, ConstElements dy, int64_t pictures, float* sums) {
  const int64_t channels = shape.out_channels;
  const auto [height, width] = shape.Result();
  const int64_t x_row = shape.picture[1] * channels;
  for (int64_t row = 0; row < pictures * height; ++row) {
    const int64_t top = row % height * shape.strides[0] - shape.begin[0];
    const ConstElements picture = From(x, row / height * shape.picture[0] * x_row);
    for (int64_t i = 0; i < shape.kernel[0]; ++i) {
      const int64_t y = top + i * shape.dilations[0];
      if (y < 0 || y >= shape.picture[0]) continue;
      AddRow(d, shape, seen, From(picture, y * x_row), From(dy, row * width * channels),
             sums + i * shape.kernel[1] * channels);
    }
  }
}

void WeightSums(const ConvolutionShape& shape, ConstElements x, ConstElements dy, int64_t pictures,
                int64_t first_channel, int64_t channels, float* sums) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> single;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t k = 0; k < shape.kernel[0] * shape.kernel[1]; ++k) {
    std::fill_n(sums + k * shape.out_channels + first_channel, channels, 0.0f);
  }
  std::vector<Columns> seen;
  for (int64_t j = 0; j < shape.kernel[1]; ++j) seen.emplace_back(shape, j);
  const int64_t end = first_channel + channels;
  int64_t c = first_channel;
  for (; c + lanes <= end; c += lanes)
    AddAll(d, shape, seen, From(x, c), From(dy, c), pictures, sums + c);
  for (; c < end; ++c) AddAll(single, shape, seen, From(x, c), From(dy, c), pictures, sums + c);
}

}  // namespace HWY_NAMESPACE
}  // namespace quantry::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace quantry::engine {

HWY_EXPORT(WeightSums);

bool IsDepthwise(const ConvolutionShape& shape) {
  return shape.groups > 1 && shape.groups == shape.in_channels &&
         shape.groups == shape.out_channels;
}

void DepthwiseWeightSums(const ConvolutionShape& shape, ConstElements x, ConstElements dy,
                         int64_t pictures, int64_t first_channel, int64_t channels, float* sums) {
  HWY_DYNAMIC_DISPATCH(WeightSums)(shape, x, dy, pictures, first_channel, channels, sums);
}

}  // namespace quantry::engine
#endif  // HWY_ONCE
