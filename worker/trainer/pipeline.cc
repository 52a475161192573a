#include "worker/trainer/pipeline.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

Pipeline::Pipeline(RunOptions options, std::filesystem::path output, EventSink& sink,
                   const Clock& clock, std::function<bool()> interrupted, engine::Collective* ranks)
    : state_(options, ModeOf(options.mode), std::move(output), sink, clock, std::move(interrupted),
             ranks) {}

absl::StatusOr<v1::Result> Pipeline::Run() {
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(state_.output));
  if (state_.ranks.size() > 1 && !state_.mode.parallel) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat("mode '", state_.mode.name,
                                                              "' is for one process; here are ",
                                                              state_.ranks.size(), " ranks")),
                      "RANKS_INVALID");
  }
  QUANTRY_RETURN_IF_ERROR(Do(kLoad));
  for (const StepDef& step : state_.mode.steps) {
    if (state_.ranks.leads() || step.on_every_rank) QUANTRY_RETURN_IF_ERROR(Do(step));
  }
  if (state_.ranks.leads()) QUANTRY_RETURN_IF_ERROR(Do(kWriteReport));
  return state_.record.result;
}

absl::Status Pipeline::Do(const StepDef& step) {
  QUANTRY_RETURN_IF_ERROR(state_.CheckInterrupted());
  const absl::Duration start = state_.clock.Monotonic();
  const absl::Status status = step.run(state_);
  state_.record.seconds[std::string(step.name)] +=
      absl::ToDoubleSeconds(state_.clock.Monotonic() - start);
  if (engine::IsTooCorrupt(status)) return WithReason(status, "DATASET_CORRUPT");
  return WithReason(status, step.reason);
}

}  // namespace quantry::trainer
