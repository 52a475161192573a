#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/evaluate/not_finite.h"
#include "worker/engine/train/parameter_groups.h"
#include "worker/engine/train/training_loop.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {
namespace {

absl::Status OnTrainedStep(RunState& state, const engine::TrainedStep& step) {
  std::optional<double> hits;
  if (state.inputs.task.kind == engine::TargetKind::kClass) {
    hits = step.logits.detach().argmax(1).eq(step.targets).sum().item<double>();
  }
  state.progress.Advance({.steps_done = step.steps_done,
                          .images = step.examples,
                          .epoch = step.epoch + 1,
                          .epochs = state.options.train.epochs,
                          .loss = step.loss,
                          .top1_hits = hits,
                          .learning_rate = step.learning_rate},
                         DataStateOf(state, *state.inputs.train));
  return absl::OkStatus();
}

// The score of the model as it would be deployed now.
absl::StatusOr<double> EvaluateWhileTraining(RunState& state, int64_t steps_done) {
  state.steps_trained = steps_done;
  const auto ignore = [](const engine::EvaluatedBatch&) { return absl::OkStatus(); };
  QUANTRY_ASSIGN_OR_RETURN(const engine::TaskMetrics metrics,
                           EvaluateDeployed(state, "eval", ignore));
  state.progress.Begin(v1::PHASE_TRAINING, "",
                       state.options.train.epochs * state.inputs.train->num_batches(), steps_done);
  return metrics.score();
}

engine::TrainingCallbacks MakeTrainingCallbacks(RunState& state) {
  return {
      .on_step = [&state](const engine::TrainedStep& step) { return OnTrainedStep(state, step); },
      .on_epoch =
          [&state](int64_t epochs_done, int64_t steps_done, const engine::TaskMetrics& metrics) {
            state.SendMetrics("train", epochs_done, steps_done, *state.inputs.train, metrics,
                              state.epoch_work);
            state.epoch_work = state.BeginWork(*state.inputs.train);
            return absl::OkStatus();
          },
      .evaluate = [&state](int64_t steps_done) { return EvaluateWhileTraining(state, steps_done); },
      .save =
          [&state](engine::Checkpoint checkpoint) {
            return SaveCheckpoint(state, std::move(checkpoint));
          },
      .interrupted = state.interrupted};
}

}  // namespace

absl::Status Train(RunState& state) {
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<engine::TrainingLoop> loop,
                           engine::TrainingLoop::Create(
                               state.model, *state.inputs.train, state.options.train,
                               MakeTrainingCallbacks(state), &state.inputs.model, &state.ranks));
  if (state.resume_from) {
    QUANTRY_RETURN_IF_ERROR(WithReason(loop->Restore(*state.resume_from), "CHECKPOINT_MISMATCH"));
    state.resume_from.reset();
  }
  state.progress.Begin(v1::PHASE_TRAINING, "", loop->steps(), loop->steps_done());
  state.epoch_work = state.BeginWork(*state.inputs.train);
  const absl::Status status = loop->Run();
  if (engine::IsNotFinite(status)) return WithReason(status, "TRAINING_DIVERGED");
  QUANTRY_RETURN_IF_ERROR(status);
  if (!state.ranks.leads()) return absl::OkStatus();
  state.progress.End();
  // One from before the training does not do.
  if (loop->steps() == 0 || !std::filesystem::exists(state.output / kCheckpointFile)) {
    QUANTRY_RETURN_IF_ERROR(SaveCheckpoint(state, loop->MakeCheckpoint()));
  }
  state.steps_trained = loop->steps_done();
  state.record.result.set_train_seconds(loop->train_seconds());
  if (loop->stopped_early()) {
    SendLog(state.sink, v1::LogLine::INFO,
            absl::StrCat("stopped after step ", loop->steps_done(), " of ", loop->steps(),
                         ": patience is used up"));
  }
  QUANTRY_RETURN_IF_ERROR(loop->Finish());
  engine::ReleaseParameters(state.model);
  return absl::OkStatus();
}

}  // namespace quantry::trainer
