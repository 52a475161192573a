#include "worker/engine/quant/abs_max.h"

#include <ATen/ATen.h>

#include <numeric>
#include <vector>

#include "worker/engine/quant/cpu_kernels.h"
#include "worker/engine/quant/dense_runs.h"
#include "worker/engine/quant/last_axis.h"

namespace quantry::engine {
namespace {

// Keeps NaN, unlike std::max.
float MaxOrNan(float a, float b) { return a >= b || a != a ? a : b; }

at::Tensor DenseAbsMax(const at::Tensor& x) {
  const float* data = x.data_ptr<float>();
  const float largest = at::parallel_reduce(
      0, x.numel(), kDenseChunk, 0.0f,
      [&](int64_t begin, int64_t end, float seen) {
        return MaxOrNan(seen, AbsMax(data + begin, end - begin));
      },
      MaxOrNan);
  return at::full({}, largest, x.options());
}

// One task per channel: no two threads share a result.
at::Tensor DenseAbsMaxPerChannel(const at::Tensor& x, int64_t axis) {
  const ChannelLayout layout = ChannelLayout::Of(x, axis);
  const int64_t rows = layout.numel / (layout.run * layout.count);
  const at::Tensor result = at::zeros({layout.count}, x.options());
  float* largest = result.data_ptr<float>();
  const float* data = x.data_ptr<float>();
  at::parallel_for(0, layout.count, 1, [&](int64_t first, int64_t last) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t channel = first; channel < last; ++channel) {
        const float* run = data + (row * layout.count + channel) * layout.run;
        largest[channel] = MaxOrNan(largest[channel], AbsMax(run, layout.run));
      }
    }
  });
  return result;
}

at::Tensor GenericAbsMax(const at::Tensor& x, int64_t axis) {
  const at::Tensor magnitudes = x.abs().to(at::kFloat);
  if (axis < 0) return magnitudes.amax();
  std::vector<int64_t> others(static_cast<size_t>(x.dim()));
  std::iota(others.begin(), others.end(), int64_t{0});
  others.erase(others.begin() + axis);
  return others.empty() ? magnitudes : magnitudes.amax(others);
}

}  // namespace

at::Tensor AbsMaxOf(const at::Tensor& x, int64_t axis) {
  const at::NoGradGuard no_grad;
  if (x.numel() == 0) {
    const auto options = x.options().dtype(at::kFloat);
    return axis < 0 ? at::zeros({}, options) : at::zeros({x.size(axis)}, options);
  }
  if (!IsDenseCpuFloat(x)) return GenericAbsMax(x.detach(), axis);
  if (HasChannelsLast(x, axis)) return AbsMaxLastAxis(x, x.size(axis));
  return axis < 0 ? DenseAbsMax(x) : DenseAbsMaxPerChannel(x, axis);
}

}  // namespace quantry::engine
