#include "worker/engine/quant/qparams.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "worker/engine/quant/dorefa.h"

namespace quantry::engine {
namespace {

constexpr float kSmallestThreshold = 1e-30f;
constexpr float kThresholdGuard = 1e-6f;

at::Tensor Guarded(const at::Tensor& thresholds) {
  return at::where(thresholds <= kSmallestThreshold, thresholds + kThresholdGuard, thresholds);
}

// x in steps, not yet rounded.
at::Tensor InSteps(const at::Tensor& x, const QParams& qparams, int64_t axis) {
  if (qparams.rounding == Rounding::kHalfToEven || !qparams.span.defined()) {
    return x / BroadcastAlong(qparams.step, x, axis);
  }
  return x * qparams.levels / BroadcastAlong(qparams.span, x, axis);
}

}  // namespace

float StepSize(float threshold, int bits) {
  const float guarded = threshold <= kSmallestThreshold ? threshold + kThresholdGuard : threshold;
  return guarded / static_cast<float>(QuantMax(bits));
}

at::Tensor StepSizes(const at::Tensor& thresholds, int bits) {
  return Guarded(thresholds) / static_cast<float>(QuantMax(bits));
}

QParams QParamsOfThresholds(const at::Tensor& thresholds, int bits, bool full_range,
                            Rounding rounding) {
  const int64_t q = QuantMax(bits);
  QParams qparams = {.step = StepSizes(thresholds, bits),
                     .low = -thresholds,
                     .high = thresholds,
                     .qmin = full_range ? -q - 1 : -q,
                     .qmax = q,
                     .rounding = rounding};
  if (full_range) qparams.low = thresholds * (-static_cast<double>(q + 1) / static_cast<double>(q));
  if (rounding == Rounding::kHalfAwayFromZero) {
    qparams.span = Guarded(thresholds);
    qparams.levels = static_cast<double>(q);
  }
  return qparams;
}

QParams QParamsOfSteps(const at::Tensor& steps, int bits, bool full_range, Rounding rounding) {
  const int64_t qmax = QuantMax(bits);
  const int64_t qmin = full_range ? -qmax - 1 : -qmax;
  return {.step = steps,
          .low = steps * static_cast<float>(qmin),
          .high = steps * static_cast<float>(qmax),
          .qmin = qmin,
          .qmax = qmax,
          .rounding = rounding};
}

QParams QParamsOfRange(const at::Tensor& below_and_above, int bits, Rounding rounding) {
  const auto below = below_and_above[0].item<float>();
  const auto above = below_and_above[1].item<float>();
  const float width = below + above;
  const bool empty = width <= kSmallestThreshold;
  const float step = (empty ? kThresholdGuard : width) / static_cast<float>(UnsignedMax(bits));
  const double zero_point = std::nearbyint(below / step);
  QParams qparams =
      QParamsOfStep(at::full({}, step, below_and_above.options()), zero_point, bits, rounding);
  if (empty) {
    qparams.low = at::zeros({}, below_and_above.options());
    qparams.high = at::zeros({}, below_and_above.options());
  }
  return qparams;
}

QParams QParamsOfStep(const at::Tensor& step, double zero_point, int bits, Rounding rounding) {
  const int64_t levels = UnsignedMax(bits);
  // NaN must not become an integer.
  const double wanted = std::isfinite(zero_point) ? std::nearbyint(zero_point) : 0;
  const auto zero = static_cast<int64_t>(std::clamp(wanted, 0.0, static_cast<double>(levels)));
  return {.step = step,
          .low = step * -static_cast<float>(zero),
          .high = step * static_cast<float>(levels - zero),
          .qmin = 0,
          .qmax = levels,
          .zero_point = zero,
          .rounding = rounding};
}

at::Tensor QuantizeToIntegers(const at::Tensor& x, const QParams& qparams, int64_t axis) {
  if (qparams.mapping == Mapping::kTanh) return TanhIntegers(x, qparams).to(at::kInt);
  const at::Tensor clamped = at::minimum(at::maximum(x, BroadcastAlong(qparams.low, x, axis)),
                                         BroadcastAlong(qparams.high, x, axis));
  return RoundWith(InSteps(clamped, qparams, axis), qparams.rounding).to(at::kInt) +
         qparams.zero_point;
}

at::Tensor BroadcastAlong(const at::Tensor& values, const at::Tensor& x, int64_t axis) {
  if (axis < 0) return values;
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape.at(static_cast<size_t>(axis)) = x.size(axis);
  return values.view(shape);
}

at::Tensor RoundWith(const at::Tensor& values, Rounding rounding) {
  if (rounding == Rounding::kHalfToEven) return at::round(values);
  const at::Tensor magnitude = values.abs();
  const at::Tensor whole = magnitude.floor();
  return at::copysign(at::where(magnitude - whole >= 0.5, whole + 1, whole), values);
}

}  // namespace quantry::engine
