#include "worker/engine/quant/quantizer.h"

#include "worker/engine/quant/observers.h"

namespace quantry::engine {
namespace {

constexpr QuantizerDef kTable[] = {
    {.name = "abs_max",
     .for_weights = true,
     .for_activations = true,
     .observe = ObserveAbsMax,
     .start = StartAbsMax},
    {.name = "channel_wise_abs_max",
     .per_channel = true,
     .for_weights = true,
     .observe = ObserveAbsMax},
    {.name = "range_abs_max",
     .for_weights = true,
     .for_activations = true,
     .history = History::kWindow,
     .observe = ObserveRange,
     .start = StartRange},
    {.name = "moving_average_abs_max",
     .for_weights = true,
     .for_activations = true,
     .history = History::kSums,
     .observe = ObserveMovingAverage,
     .start = StartMovingAverage},
    {.name = "lsq_weight",
     .for_weights = true,
     .history = History::kSums,
     .learned = true,
     .observe = ObserveLearnedStep,
     .start = StartLearnedStep},
    {.name = "channel_wise_lsq_weight",
     .per_channel = true,
     .for_weights = true,
     .history = History::kSums,
     .learned = true,
     .observe = ObserveLearnedStep,
     .start = StartLearnedStep},
    {.name = "lsq_act",
     .for_activations = true,
     .history = History::kSums,
     .learned = true,
     .observe = ObserveLearnedStep,
     .start = StartLearnedStep},
    {.name = "lsq_plus_act",
     .for_activations = true,
     .history = History::kSums,
     .learned = true,
     .learned_offset = true,
     .observe = ObserveLearnedRange,
     .start = StartLearnedRange},
    {.name = "dorefa_weight",
     .for_weights = true,
     .mapping = Mapping::kTanh,
     .observe = ObserveMagnitudeOnce},
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
