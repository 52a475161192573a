#ifndef QUANTRY_WORKER_ENGINE_QUANT_QUANTIZER_H_
#define QUANTRY_WORKER_ENGINE_QUANT_QUANTIZER_H_

#include <ATen/core/Tensor.h>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {

// What a quantizer has seen: tensors that live in the graph and are changed in place. Those of the
// shape of `scale` are scalars, or have one element per channel, or, for an asymmetric activation
// whose step is not learned, two: how far the tensor reaches below and above 0.
struct ObserverState {
  at::Tensor scale;        // the threshold s that evaluation and export use; learned: the step size
  at::Tensor accum;        // History::kSums, else undefined
  at::Tensor state;        // History::kSums, else undefined
  at::Tensor window;       // History::kWindow: [window_size, scale's shape], else undefined
  at::Tensor count;        // History::kWindow: int64 scalar, tensors seen so far, else undefined
  at::Tensor initialized;  // scalar: 0 before the first observation, then 1
  at::Tensor offset = {};      // learned_offset: scalar, the lower end of the range, <= 0 at first
  at::Tensor zero_point = {};  // learned, asymmetric, offset not learned: scalar, a whole number
};

// How a tensor is looked at.
struct ObserveOptions {
  int bits = 8;              // 2..16
  int64_t axis = -1;         // -1: the whole tensor; else per index of this axis
  bool is_weight = false;    // an activation otherwise
  bool symmetric = true;     // false: reach below and above 0 apart; activations only
  double moving_rate = 0.9;  // moving averages: share of the past, in (0, 1)
  // The start value kStartThreshold counts as seen, as in the reference.
  bool reference_start = false;
};

// What a quantizer keeps beside its scale.
enum class History {
  kNone = 0,
  kSums = 1,    // accum and state, both 0 at the start (both 1 with reference_start)
  kWindow = 2,  // window and count, both 0 at the start
};

// One way of finding the threshold s or step size. The instances are the lines of QuantizerTable().
struct QuantizerDef {
  absl::string_view name;  // as in quant_config
  bool per_channel = false;
  bool for_weights = false;
  bool for_activations = false;
  History history = History::kNone;
  // `scale` is a step size, a parameter with a gradient; observing only finds its start.
  bool learned = false;
  // The lower end of the range is learned as well; always asymmetric.
  bool learned_offset = false;
  // What is done to the tensor before it is put on the grid. With kTanh `scale` is the magnitude
  // that the result has, which stays as it was seen first.
  Mapping mapping = Mapping::kNone;

  // Takes one tensor into the state and returns the scale to quantize that very tensor with. Sets
  // `initialized`. No gradient.
  at::Tensor (*observe)(const at::Tensor& x, const ObserveOptions& options,
                        const ObserverState& state) = nullptr;
  // Sets the state so that evaluation clips at `threshold` (float32, the shape that MagnitudesOf
  // has) and further observing goes on from there: what a calibrator found takes the place of what
  // observing did. Null: the threshold is not free. Not called for a scale that follows a weight.
  void (*start)(const at::Tensor& threshold, const ObserveOptions& options,
                const ObserverState& state) = nullptr;

  // Whether observing only finds a start, which then is trained or kept.
  bool observes_once() const { return learned || mapping != Mapping::kNone; }
};

absl::Span<const QuantizerDef> QuantizerTable();

// Null if there is none of this name.
const QuantizerDef* FindQuantizer(absl::string_view name);

// s before anything was seen (the reference's start value).
inline constexpr float kStartThreshold = 0.001f;

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_QUANT_QUANTIZER_H_
