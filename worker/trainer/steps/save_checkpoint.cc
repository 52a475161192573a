#include "common/status_macros.h"
#include "worker/engine/train/training_loop.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

absl::Status SaveCheckpoint(RunState& state, engine::Checkpoint checkpoint) {
  const absl::Duration start = state.clock.Monotonic();
  checkpoint.identity = state.identity;
  checkpoint.notes = state.notes;
  const std::filesystem::path path = state.output / kCheckpointFile;
  QUANTRY_RETURN_IF_ERROR(
      WithReason(engine::WriteCheckpoint(path, checkpoint), "CHECKPOINT_WRITE_FAILED"));
  v1::TrainerEvent event;
  v1::CheckpointSaved& saved = *event.mutable_checkpoint();
  saved.set_epoch(static_cast<int32_t>(checkpoint.steps_done / checkpoint.steps_per_epoch));
  saved.set_step(checkpoint.steps_done);
  saved.set_size_bytes(static_cast<int64_t>(std::filesystem::file_size(path)));
  saved.set_seconds(absl::ToDoubleSeconds(state.clock.Monotonic() - start));
  state.sink.Send(event);
  return absl::OkStatus();
}

absl::Status KeepCalibration(RunState& state) {
  return SaveCheckpoint(state, {.steps_per_epoch = state.inputs.train->num_batches(),
                                .state = engine::GraphState(state.model)});
}

}  // namespace quantry::trainer
