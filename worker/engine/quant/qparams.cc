#include "worker/engine/quant/qparams.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

namespace quantry::engine {
namespace {

constexpr float kSmallestThreshold = 1e-30f;
constexpr float kThresholdGuard = 1e-6f;

}  // namespace

float StepSize(float threshold, int bits) {
  const float guarded = threshold <= kSmallestThreshold ? threshold + kThresholdGuard : threshold;
  return guarded / static_cast<float>(QuantMax(bits));
}

at::Tensor StepSizes(const at::Tensor& thresholds, int bits) {
  const at::Tensor guarded =
      at::where(thresholds <= kSmallestThreshold, thresholds + kThresholdGuard, thresholds);
  return guarded / static_cast<float>(QuantMax(bits));
}

QParams QParamsOfThresholds(const at::Tensor& thresholds, int bits) {
  return {.step = StepSizes(thresholds, bits),
          .low = -thresholds,
          .high = thresholds,
          .qmin = -QuantMax(bits),
          .qmax = QuantMax(bits)};
}

QParams QParamsOfSteps(const at::Tensor& steps, int bits) {
  const at::Tensor reach = steps * static_cast<float>(QuantMax(bits));
  return {
      .step = steps, .low = -reach, .high = reach, .qmin = -QuantMax(bits), .qmax = QuantMax(bits)};
}

QParams QParamsOfRange(const at::Tensor& below_and_above, int bits) {
  const auto below = below_and_above[0].item<float>();
  const auto above = below_and_above[1].item<float>();
  const int64_t levels = (int64_t{1} << bits) - 1;
  const float width = below + above;
  const bool empty = width <= kSmallestThreshold;
  const float step = (empty ? kThresholdGuard : width) / static_cast<float>(levels);
  // NaN must not become an integer.
  const int64_t zero_point =
      std::isfinite(width) ? static_cast<int64_t>(std::nearbyint(below / step)) : 0;
  const auto scalar = [&](float value) { return at::full({}, value, below_and_above.options()); };
  return {.step = scalar(step),
          .low = scalar(empty ? 0 : -static_cast<float>(zero_point) * step),
          .high = scalar(empty ? 0 : static_cast<float>(levels - zero_point) * step),
          .qmin = 0,
          .qmax = levels,
          .zero_point = zero_point};
}

at::Tensor QuantizeToIntegers(const at::Tensor& x, const QParams& qparams, int64_t axis) {
  const at::Tensor clamped = at::minimum(at::maximum(x, BroadcastAlong(qparams.low, x, axis)),
                                         BroadcastAlong(qparams.high, x, axis));
  return at::round(clamped / BroadcastAlong(qparams.step, x, axis)).to(at::kInt) +
         qparams.zero_point;
}

at::Tensor BroadcastAlong(const at::Tensor& values, const at::Tensor& x, int64_t axis) {
  if (axis < 0) return values;
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape.at(static_cast<size_t>(axis)) = x.size(axis);
  return values.view(shape);
}

}  // namespace quantry::engine
