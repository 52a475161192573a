#include "worker/engine/train/correct_biases.h"

#include <algorithm>

#include "common/status_macros.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

absl::Status CorrectBiases(RunState& state) {
  if (!state.options.ptq.correct_bias) return absl::OkStatus();
  const int64_t total =
      std::min(state.options.calibration_batches, state.inputs.train->num_batches());
  state.progress.Begin(v1::PHASE_CORRECTING, "", total);
  QUANTRY_ASSIGN_OR_RETURN(
      const int64_t corrected,
      engine::CorrectBiases(state.model, *state.inputs.train, total, [&](int64_t done, int64_t) {
        state.progress.Advance({.steps_done = done, .images = state.options.batch_size});
        return state.CheckInterrupted();
      }));
  state.progress.End();
  state.record.result.set_corrected_layers(static_cast<int32_t>(corrected));
  return absl::OkStatus();
}

}  // namespace quantry::trainer
