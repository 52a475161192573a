#include "worker/engine/quant/qparams.h"

#include <ATen/ATen.h>

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

at::Tensor QuantizeToInt8(const at::Tensor& x, const at::Tensor& thresholds, int bits,
                          int64_t axis) {
  const at::Tensor s = BroadcastAlong(thresholds, x, axis);
  const at::Tensor steps = BroadcastAlong(StepSizes(thresholds, bits), x, axis);
  return at::round(at::minimum(at::maximum(x, -s), s) / steps).to(at::kChar);
}

at::Tensor BroadcastAlong(const at::Tensor& values, const at::Tensor& x, int64_t axis) {
  if (axis < 0) return values;
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape.at(static_cast<size_t>(axis)) = x.size(axis);
  return values.view(shape);
}

}  // namespace quantry::engine
