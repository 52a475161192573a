#include <ATen/ATen.h>

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

}  // namespace

at::Tensor ObserveLearnedStep(const at::Tensor& x, const ObserveOptions& options,
                              const ObserverState& state) {
  const at::NoGradGuard no_grad;
  const double factor = 2 / std::sqrt(static_cast<double>(QuantMax(options.bits)));
  state.state.add_(1);
  // Nothing is learned from an empty tensor.
  if (x.numel() > 0) state.accum.add_(MeanMagnitude(x, options.axis) * factor);
  state.scale.copy_((state.accum / state.state).clamp_min(kSmallestStep));
  state.initialized.fill_(1);
  return state.scale;
}

}  // namespace quantry::engine
