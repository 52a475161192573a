#include "worker/engine/train/adapt_rounding.h"

#include <algorithm>

#include "common/status_macros.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

absl::Status AdaptRounding(RunState& state) {
  if (!state.options.ptq.adaptive_rounding) return absl::OkStatus();
  const int64_t total =
      std::min(state.options.calibration_batches, state.inputs.train->num_batches());
  state.progress.Begin(v1::PHASE_ROUNDING, "", total);
  QUANTRY_ASSIGN_OR_RETURN(
      state.adapted_sqnr_db,
      engine::AdaptRounding(state.model, *state.inputs.train, total, [&](int64_t done, int64_t) {
        state.progress.Advance({.steps_done = done, .images = state.options.batch_size});
        return state.CheckInterrupted();
      }));
  state.progress.End();
  state.record.result.set_adapted_layers(static_cast<int32_t>(state.adapted_sqnr_db.size()));
  return absl::OkStatus();
}

}  // namespace quantry::trainer
