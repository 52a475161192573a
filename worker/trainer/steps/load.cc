#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/settings.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {
namespace {

absl::Status FindCheckpoint(RunState& state) {
  const bool given = !state.options.checkpoint_path.empty();
  const std::filesystem::path path =
      given ? state.options.checkpoint_path : state.output / kCheckpointFile;
  absl::StatusOr<engine::Checkpoint> checkpoint = engine::ReadCheckpoint(path);
  if (!given && absl::IsNotFound(checkpoint.status())) return absl::OkStatus();
  if (!given && absl::IsDataLoss(checkpoint.status())) {
    SendLog(state.sink, v1::LogLine::WARNING,
            absl::StrCat("starting over: ", checkpoint.status().message()));
    return absl::OkStatus();
  }
  QUANTRY_RETURN_IF_ERROR(WithReason(checkpoint.status(), "CHECKPOINT_INVALID"));
  QUANTRY_RETURN_IF_ERROR(WithReason(engine::CheckIdentity(checkpoint->identity, state.identity),
                                     "CHECKPOINT_MISMATCH"));
  state.notes = checkpoint->notes;
  if (checkpoint->state.empty()) {  // it is from before the training
    SendLog(state.sink, v1::LogLine::INFO, absl::StrCat("going on from ", path.string()));
    return absl::OkStatus();
  }
  SendLog(state.sink, v1::LogLine::INFO,
          absl::StrCat("going on from step ", checkpoint->steps_done, " of ", path.string()));
  state.resume_from = *std::move(checkpoint);
  return absl::OkStatus();
}

// Rank 0's, for all: the others may be on machines that don't have the file.
absl::Status ShareCheckpoint(RunState& state) {
  if (state.ranks.size() == 1) return absl::OkStatus();
  std::string bytes;
  if (state.resume_from) {
    QUANTRY_ASSIGN_OR_RETURN(bytes, engine::SerializeCheckpoint(*state.resume_from));
  }
  QUANTRY_ASSIGN_OR_RETURN(bytes, engine::BroadcastText(state.ranks, bytes));
  if (bytes.empty() || state.ranks.leads()) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(state.resume_from, engine::ParseCheckpoint(bytes));
  return absl::OkStatus();
}

// Whether this machine can train as it is asked to.
absl::Status CheckPrecision(RunState& state) {
  const engine::Precision precision = state.options.train.precision;
  QUANTRY_RETURN_IF_ERROR(WithReason(engine::CheckPrecision(precision), "PRECISION_UNSUPPORTED"));
  if (precision == engine::Precision::kBf16 &&
      engine::FindBf16Support() == engine::Bf16Support::kEmulated) {
    SendLog(state.sink, v1::LogLine::WARNING,
            "training.precision is bf16, for which this CPU has no instructions: it takes longer "
            "than float32");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Load(RunState& state) {
  state.progress.Begin(v1::PHASE_LOADING, "", 0);
  if (state.mode.trains) QUANTRY_RETURN_IF_ERROR(CheckPrecision(state));
  const RunWatch watch{.interrupted = state.interrupted, .log = [&state](absl::string_view line) {
                         SendLog(state.sink, v1::LogLine::INFO, line);
                       }};
  QUANTRY_ASSIGN_OR_RETURN(state.inputs, LoadInputs(state.options, watch));
  state.model = state.inputs.model.Clone();
  state.identity = RunIdentity(state.options, state.inputs.model_identity);
  state.record.settings = SettingsToJson(state.options, state.inputs.model_identity);
  state.record.task = std::string(engine::TargetKindName(state.inputs.task.kind));
  state.record.class_names = state.inputs.class_names;
  state.record.parameters = state.inputs.model.ParameterCount();
  state.progress.SetPlan(
      state.mode.trains ? state.options.train.epochs * state.inputs.train->num_batches() : 0,
      state.inputs.eval->num_batches() * state.mode.evaluations);
  if (state.ranks.size() > 1) state.record.settings["training"]["ranks"] = state.ranks.size();
  if (!state.mode.resumes) return absl::OkStatus();
  if (state.ranks.leads()) QUANTRY_RETURN_IF_ERROR(FindCheckpoint(state));
  return ShareCheckpoint(state);
}

}  // namespace quantry::trainer
