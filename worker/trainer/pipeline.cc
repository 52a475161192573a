#include "worker/trainer/pipeline.h"

#include <utility>

#include "common/files.h"
#include "common/status_macros.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {

Pipeline::Pipeline(RunOptions options, std::filesystem::path output, EventSink& sink,
                   const Clock& clock, std::function<bool()> interrupted)
    : state_(options, ModeOf(options.mode), std::move(output), sink, clock,
             std::move(interrupted)) {}

absl::StatusOr<v1::Result> Pipeline::Run() {
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(state_.output));
  QUANTRY_RETURN_IF_ERROR(Do(kLoad));
  for (const StepDef& step : state_.mode.steps) QUANTRY_RETURN_IF_ERROR(Do(step));
  QUANTRY_RETURN_IF_ERROR(Do(kWriteReport));
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
