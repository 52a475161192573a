#ifndef QUANTRY_WORKER_AGENT_JUDGEMENT_H_
#define QUANTRY_WORKER_AGENT_JUDGEMENT_H_

#include <optional>

#include "quantry/v1/event.pb.h"
#include "worker/agent/trainer_run.h"
#include "worker/agent/worker_metrics.h"

namespace quantry::agent {

// Why a trainer was asked to stop, if it was.
struct StopCauses {
  bool lease_lost = false;
  bool cancel_requested = false;
  bool yield_requested = false;  // the server wants the job back
  bool shutdown = false;
};

// How an attempt ends.
struct Judgement {
  AttemptOutcome outcome = AttemptOutcome::kSucceeded;
  std::optional<v1::Failure> failure;  // present exactly for failures and preemption
};

// The rules, by the first that fits: lease lost; a trainer that succeeded did so whatever came
// meanwhile; a cancel; a shutdown, when the trainer stopped because of it; the failure that the
// trainer named; else it crashed, which is INFRASTRUCTURE with reason TRAINER_CRASHED. Pure.
Judgement JudgeTrainer(const TrainerOutcome& trainer, const StopCauses& causes);

// The same for an attempt that ends before its trainer started or after it: `failure` unless a
// cause explains it.
Judgement JudgeFailure(v1::Failure failure, const StopCauses& causes);

v1::Failure MakeFailure(v1::FailureKind kind, std::string reason, std::string message);

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_JUDGEMENT_H_
