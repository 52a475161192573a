#include "worker/engine/quant/quantizer.h"

#include <ATen/ATen.h>

namespace quantry::engine {
namespace {

// s = max|x|. A weight's s follows the weight. Activations are quantized with the maximum of their
// own batch, and the largest of all is kept for evaluation and export, where s has to be one
// number.
at::Tensor ObserveAbsMax(const at::Tensor& abs_max, double /*moving_rate*/, bool is_weight,
                         const ObserverState& state) {
  const at::NoGradGuard no_grad;
  if (is_weight) {
    state.scale.copy_(abs_max);
  } else {
    // The start value must not count as seen.
    state.scale.copy_(at::maximum(abs_max, state.scale * state.initialized));
  }
  state.initialized.fill_(1);
  return abs_max;
}

// state = r * state + 1; accum = r * accum + max|x|; s = accum / state, before the tensor that was
// seen is quantized (PaddleSlim's recurrence). state and accum start at 0, so that the start leaves
// no trace in s.
at::Tensor ObserveMovingAverage(const at::Tensor& abs_max, double moving_rate, bool /*is_weight*/,
                                const ObserverState& state) {
  const at::NoGradGuard no_grad;
  state.state.mul_(moving_rate).add_(1);
  state.accum.mul_(moving_rate).add_(abs_max);
  state.scale.copy_(state.accum / state.state);
  state.initialized.fill_(1);
  return state.scale;
}

constexpr QuantizerDef kTable[] = {
    {.name = "abs_max", .for_weights = true, .for_activations = true, .observe = ObserveAbsMax},
    {.name = "channel_wise_abs_max",
     .per_channel = true,
     .for_weights = true,
     .observe = ObserveAbsMax},
    {.name = "moving_average_abs_max",
     .for_weights = true,
     .for_activations = true,
     .averages = true,
     .observe = ObserveMovingAverage},
};

}  // namespace

absl::Span<const QuantizerDef> QuantizerTable() { return kTable; }

const QuantizerDef* FindQuantizer(absl::string_view name) {
  for (const QuantizerDef& quantizer : kTable) {
    if (quantizer.name == name) return &quantizer;
  }
  return nullptr;
}

}  // namespace quantry::engine
