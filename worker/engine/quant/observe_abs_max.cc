#include <ATen/ATen.h>

#include "worker/engine/quant/abs_max.h"
#include "worker/engine/quant/observers.h"

namespace quantry::engine {

at::Tensor ObserveAbsMax(const at::Tensor& x, const ObserveOptions& options,
                         const ObserverState& state) {
  const at::NoGradGuard no_grad;
  const at::Tensor seen = MagnitudesOf(x, options);
  if (options.is_weight) {
    state.scale.copy_(seen);
  } else {
    // The start value must not count as seen.
    state.scale.copy_(at::maximum(seen, state.scale * state.initialized));
  }
  state.initialized.fill_(1);
  return seen;
}

void StartAbsMax(const at::Tensor& threshold, const ObserveOptions&, const ObserverState& state) {
  const at::NoGradGuard no_grad;
  state.scale.copy_(threshold);
  state.initialized.fill_(1);
}

at::Tensor ObserveMagnitudeOnce(const at::Tensor& x, const ObserveOptions& options,
                                const ObserverState& state) {
  const at::NoGradGuard no_grad;
  state.scale.copy_(AbsMaxOf(x, options.axis));
  state.initialized.fill_(1);
  return state.scale;
}

}  // namespace quantry::engine
