#include <ATen/ATen.h>

#include "worker/engine/quant/observers.h"

namespace quantry::engine {

at::Tensor ObserveMovingAverage(const at::Tensor& x, const ObserveOptions& options,
                                const ObserverState& state) {
  const at::NoGradGuard no_grad;
  state.state.mul_(options.moving_rate).add_(1);
  state.accum.mul_(options.moving_rate).add_(MagnitudesOf(x, options));
  state.scale.copy_(state.accum / state.state);
  state.initialized.fill_(1);
  return state.scale;
}

void StartMovingAverage(const at::Tensor& threshold, const ObserveOptions&,
                        const ObserverState& state) {
  const at::NoGradGuard no_grad;
  // Whoever has seen nothing yet counts the threshold as one tensor.
  state.state.clamp_min_(1);
  state.accum.copy_(threshold * state.state);
  state.scale.copy_(threshold);
  state.initialized.fill_(1);
}

}  // namespace quantry::engine
