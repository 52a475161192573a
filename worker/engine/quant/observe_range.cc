#include <ATen/ATen.h>

#include <algorithm>

#include "worker/engine/quant/observers.h"

namespace quantry::engine {
namespace {

constexpr double kSameEntry = 1e-6;

}  // namespace

at::Tensor ObserveRange(const at::Tensor& x, const ObserveOptions& options,
                        const ObserverState& state) {
  const at::NoGradGuard no_grad;
  const at::Tensor seen = MagnitudesOf(x, options);
  const int64_t window_size = state.window.size(0);
  const auto count = state.count.item<int64_t>();
  const int64_t filled = std::min(count, window_size);
  const at::Tensor slot = state.window[count % window_size];
  const at::Tensor removed = slot.clone();
  slot.copy_(seen);
  // Otherwise the start value must not count as seen.
  const at::Tensor last =
      options.reference_start ? state.scale.clone() : state.scale * state.initialized;
  const at::Tensor in_window =
      filled > 0 ? state.window.slice(0, 0, filled).amax(0) : at::zeros_like(last);
  const at::Tensor kept = at::where((removed - last).abs() < kSameEntry, in_window, last);
  // NaN must not go unnoticed, whatever it compares to.
  state.scale.copy_(at::where((last < seen).logical_or(seen.isnan()), seen, kept));
  state.count.add_(1);
  state.initialized.fill_(1);
  return state.scale;
}

void StartRange(const at::Tensor& threshold, const ObserveOptions&, const ObserverState& state) {
  const at::NoGradGuard no_grad;
  state.window.zero_();
  state.window[0].copy_(threshold);
  state.count.fill_(1);
  state.scale.copy_(threshold);
  state.initialized.fill_(1);
}

}  // namespace quantry::engine
