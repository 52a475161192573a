#include "worker/agent/judgement.h"

#include <signal.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace quantry::agent {
namespace {

Judgement Failed(v1::Failure failure) {
  AttemptOutcome outcome = AttemptOutcome::kFailedInfrastructure;
  if (failure.kind() == v1::FAILURE_KIND_USER) outcome = AttemptOutcome::kFailedUser;
  if (failure.kind() == v1::FAILURE_KIND_PREEMPTED) outcome = AttemptOutcome::kPreempted;
  return {.outcome = outcome, .failure = std::move(failure)};
}

Judgement ShutDown() {
  return Failed(MakeFailure(v1::FAILURE_KIND_PREEMPTED, "WORKER_SHUTDOWN",
                            "the worker was shut down; the job goes on elsewhere from its last "
                            "checkpoint"));
}

Judgement Yielded() {
  return Failed(MakeFailure(v1::FAILURE_KIND_PREEMPTED, "YIELDED",
                            "the server asked for the worker; the job goes on later from its last "
                            "checkpoint"));
}

v1::Failure Crash(const TrainerOutcome& trainer) {
  std::string message =
      absl::StrCat("the trainer ended with ", trainer.exit.ToString(), " without saying why");
  if (trainer.exit.signal == SIGKILL) {
    absl::StrAppend(&message, "; probably the machine ran out of memory: try a smaller batch_size");
  }
  if (!trainer.events.ok()) absl::StrAppend(&message, "; ", trainer.events.message());
  v1::Failure failure =
      MakeFailure(v1::FAILURE_KIND_INFRASTRUCTURE, "TRAINER_CRASHED", std::move(message));
  failure.set_last_words(trainer.last_words);
  return failure;
}

}  // namespace

v1::Failure MakeFailure(v1::FailureKind kind, std::string reason, std::string message) {
  v1::Failure failure;
  failure.set_kind(kind);
  failure.set_reason(std::move(reason));
  failure.set_message(std::move(message));
  return failure;
}

Judgement JudgeTrainer(const TrainerOutcome& trainer, const StopCauses& causes) {
  if (causes.lease_lost) return {.outcome = AttemptOutcome::kLeaseLost};
  if (trainer.exit.Succeeded() && trainer.result.has_value()) {
    return {.outcome = AttemptOutcome::kSucceeded};
  }
  if (causes.cancel_requested) return {.outcome = AttemptOutcome::kCancelled};
  if (causes.shutdown && trainer.asked != StopRequest::kNone && !trainer.failure.has_value()) {
    return ShutDown();
  }
  if (causes.yield_requested && trainer.asked != StopRequest::kNone &&
      !trainer.failure.has_value()) {
    return Yielded();
  }
  if (trainer.failure.has_value()) return Failed(*trainer.failure);
  if (trainer.exit.signal == 0 && trainer.exit.code == kTrainerInterrupted) {
    return Failed(MakeFailure(v1::FAILURE_KIND_PREEMPTED, "TRAINER_INTERRUPTED",
                              "the trainer was told to stop by something else than its worker"));
  }
  return Failed(Crash(trainer));
}

Judgement JudgeFailure(v1::Failure failure, const StopCauses& causes) {
  if (causes.lease_lost) return {.outcome = AttemptOutcome::kLeaseLost};
  if (causes.cancel_requested) return {.outcome = AttemptOutcome::kCancelled};
  if (causes.shutdown) return ShutDown();
  if (causes.yield_requested) return Yielded();
  return Failed(std::move(failure));
}

}  // namespace quantry::agent
