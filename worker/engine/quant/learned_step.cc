#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "worker/engine/quant/fake_quantize.h"
#include "worker/engine/quant/observers.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

at::Tensor MeanMagnitude(const at::Tensor& x, int64_t axis) {
  const at::Tensor magnitudes = x.detach().abs().to(at::kFloat);
  if (axis < 0) return magnitudes.mean();
  std::vector<int64_t> others(static_cast<size_t>(x.dim()));
  std::iota(others.begin(), others.end(), int64_t{0});
  others.erase(others.begin() + axis);
  return others.empty() ? magnitudes : magnitudes.mean(others);
}

// The range that an asymmetric learned quantizer has seen on average.
struct MeanRange {
  float below = 0;
  float above = 0;
  float mean_magnitude = 0;
};

MeanRange SeeRange(const at::Tensor& x, const ObserveOptions& options, const ObserverState& state) {
  ObserveOptions both_sides = options;
  both_sides.symmetric = false;
  state.state.add_(1);
  // Nothing is learned from an empty tensor.
  if (x.numel() > 0) {
    state.accum.add_(at::cat({MagnitudesOf(x, both_sides), MeanMagnitude(x, -1).view({1})}));
  }
  const at::Tensor mean = state.accum / state.state;
  return {mean[0].item<float>(), mean[1].item<float>(), mean[2].item<float>()};
}

double ZeroPointOf(float below, float above, int bits) {
  const float width = below + above;
  return width > 0 ? std::nearbyint(below / width * static_cast<float>(UnsignedMax(bits))) : 0;
}

// Integers on the wider side of the zero point: the paper's Qp.
double WiderSide(double zero_point, int bits) {
  return std::max(zero_point, UnsignedMax(bits) - zero_point);
}

void SetStep(const ObserverState& state, double step) {
  state.scale.fill_(step < kSmallestStep ? kSmallestStep : step);
  state.initialized.fill_(1);
}

}  // namespace

at::Tensor ObserveLearnedStep(const at::Tensor& x, const ObserveOptions& options,
                              const ObserverState& state) {
  const at::NoGradGuard no_grad;
  if (!options.symmetric) {
    const MeanRange seen = SeeRange(x, options, state);
    const double zero_point = ZeroPointOf(seen.below, seen.above, options.bits);
    state.zero_point.fill_(zero_point);
    SetStep(state, 2 * seen.mean_magnitude / std::sqrt(WiderSide(zero_point, options.bits)));
    return state.scale;
  }
  const double factor = 2 / std::sqrt(static_cast<double>(QuantMax(options.bits)));
  state.state.add_(1);
  // Nothing is learned from an empty tensor.
  if (x.numel() > 0) state.accum.add_(MeanMagnitude(x, options.axis) * factor);
  state.scale.copy_((state.accum / state.state).clamp_min(kSmallestStep));
  state.initialized.fill_(1);
  return state.scale;
}

void StartLearnedStep(const at::Tensor& threshold, const ObserveOptions& options,
                      const ObserverState& state) {
  const at::NoGradGuard no_grad;
  if (!options.symmetric) {
    const auto below = threshold[0].item<float>(), above = threshold[1].item<float>();
    state.zero_point.fill_(ZeroPointOf(below, above, options.bits));
    SetStep(state, (below + above) / UnsignedMax(options.bits));
    return;
  }
  state.scale.copy_((threshold / QuantMax(options.bits)).clamp_min(kSmallestStep));
  state.initialized.fill_(1);
}

at::Tensor ObserveLearnedRange(const at::Tensor& x, const ObserveOptions& options,
                               const ObserverState& state) {
  const at::NoGradGuard no_grad;
  const MeanRange seen = SeeRange(x, options, state);
  state.offset.fill_(-seen.below);
  SetStep(state, (seen.below + seen.above) / UnsignedMax(options.bits));
  return state.scale;
}

void StartLearnedRange(const at::Tensor& threshold, const ObserveOptions& options,
                       const ObserverState& state) {
  const at::NoGradGuard no_grad;
  state.offset.copy_(-threshold[0]);
  SetStep(state, threshold.sum().item<double>() / UnsignedMax(options.bits));
}

}  // namespace quantry::engine
