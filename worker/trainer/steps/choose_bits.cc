#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {
namespace {

v1::MixedPrecision ToProto(const engine::BitChoice& choice,
                           const engine::MixedPrecisionOptions& options) {
  v1::MixedPrecision message;
  for (const engine::ChosenLayer& chosen : choice.layers) {
    v1::LayerBits& layer = *message.add_layers();
    layer.set_layer(chosen.layer);
    layer.set_op_type(chosen.op_type);
    layer.set_weight_bits(chosen.bits.weight);
    layer.set_activation_bits(chosen.bits.activation);
    layer.set_weights(chosen.weights);
    layer.set_macs(chosen.macs);
    layer.set_fixed(chosen.fixed);
  }
  message.set_budget(std::string(engine::NameOf(options.budget)));
  message.set_budget_limit(options.limit);
  message.set_budget_used(choice.used);
  message.set_mean_weight_bits(choice.mean_weight_bits);
  message.set_size_bytes(choice.size_bytes);
  message.set_bit_operations(choice.bit_operations);
  return message;
}

// Rank 0's measurements, for all, so that all choose the same bits.
absl::Status ShareMeasurements(RunState& state) {
  if (state.ranks.size() == 1) return absl::OkStatus();
  const auto text = engine::BroadcastText(
      state.ranks, state.ranks.leads() ? engine::SerializeTable(state.sensitivity) : "");
  // Rank 0 measures for long; who is told to stop meanwhile sees it go first.
  if (!text.ok() && state.interrupted()) return absl::CancelledError("interrupted");
  QUANTRY_RETURN_IF_ERROR(text.status());
  if (state.ranks.leads()) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(state.sensitivity, engine::ParseTable(*text));
  return absl::OkStatus();
}

}  // namespace

absl::Status ChooseBits(RunState& state) {
  QUANTRY_RETURN_IF_ERROR(ShareMeasurements(state));
  const engine::MixedPrecisionOptions& options = state.options.mixed_precision;
  QUANTRY_ASSIGN_OR_RETURN(
      state.choice, engine::ChooseBits(state.sensitivity, options, state.options.quant.weight_bits,
                                       state.inputs.model.ParameterCount()));
  *state.record.result.mutable_mixed_precision() = ToProto(*state.choice, options);
  SendLog(state.sink, v1::LogLine::INFO,
          absl::StrFormat("chose bits for %d layers: %.3f bits per weight in the mean, %.12g of "
                          "%.12g of %s",
                          state.choice->layers.size(), state.choice->mean_weight_bits,
                          state.choice->used, options.limit, engine::NameOf(options.budget)));
  return absl::OkStatus();
}

}  // namespace quantry::trainer
