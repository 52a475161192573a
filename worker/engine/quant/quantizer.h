#ifndef QUANTRY_WORKER_ENGINE_QUANT_QUANTIZER_H_
#define QUANTRY_WORKER_ENGINE_QUANT_QUANTIZER_H_

#include <ATen/core/Tensor.h>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry::engine {

// What a quantizer has seen: tensors that live in the graph and are changed in place. Scalars, or
// one element per channel.
struct ObserverState {
  at::Tensor scale;        // the threshold s that evaluation and export use
  at::Tensor accum;        // moving averages only, else undefined
  at::Tensor state;        // moving averages only, else undefined
  at::Tensor initialized;  // scalar: 0 before the first observation, then 1
};

// One way of finding the threshold s. The instances are the lines of QuantizerTable().
struct QuantizerDef {
  absl::string_view name;  // as in quant_config
  bool per_channel = false;
  bool for_weights = false;
  bool for_activations = false;
  bool averages = false;  // keeps ObserverState.accum and .state

  // Takes max|x| of one tensor into the state and returns the s to quantize that tensor with. Sets
  // `initialized`. No gradient.
  at::Tensor (*observe)(const at::Tensor& abs_max, double moving_rate, bool is_weight,
                        const ObserverState& state) = nullptr;
};

absl::Span<const QuantizerDef> QuantizerTable();

// Null if there is none of this name.
const QuantizerDef* FindQuantizer(absl::string_view name);

// s before anything was seen (the reference's start value).
inline constexpr float kStartThreshold = 0.001f;

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_QUANTIZER_H_
