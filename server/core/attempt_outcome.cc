#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/job_lifecycle.h"
#include "server/core/job_state.h"
#include "server/core/job_transitions.h"

namespace quantry::server {
namespace {

absl::Status Succeed(JobChange& change, const v1::FinishAttemptRequest::Success& success,
                     absl::Time now) {
  v1::Job& job = change.record.job;
  if (job.state() == v1::JOB_STATE_LEASED) {
    QUANTRY_RETURN_IF_ERROR(
        ApplyTrigger(change, JobTrigger::kStart, "the trainer runs", std::nullopt, now));
  }
  // Before the terminal event, which is a watch's last.
  for (const v1::Artifact& artifact : success.artifacts()) {
    v1::Event event;
    *event.mutable_artifact() = artifact;
    change.Add(std::move(event), now);
  }
  v1::Event event;
  *event.mutable_result() = success.result();
  change.Add(std::move(event), now);
  *job.mutable_result() = success.result();
  *job.mutable_artifacts() = success.artifacts();
  return ApplyTrigger(change, JobTrigger::kSucceed, "finished", std::nullopt, now);
}

absl::Status Cancelled(JobChange& change, absl::Time now) {
  if (!change.record.job.cancel_requested()) {
    return PreconditionError(
        "NOT_CANCELLED", change.record.job.name(),
        absl::StrCat(change.record.job.name(), " was not asked to be cancelled; report a failure"));
  }
  return ApplyTrigger(change, JobTrigger::kCancel, "cancelled by user", std::nullopt, now);
}

absl::Status ApplyOutcome(JobChange& change, const v1::FinishAttemptRequest& request,
                          absl::Time now) {
  switch (request.outcome_case()) {
    case v1::FinishAttemptRequest::kSuccess:
      return Succeed(change, request.success(), now);
    case v1::FinishAttemptRequest::kFailure:
      return EndFailedAttempt(change, request.failure(), now);
    case v1::FinishAttemptRequest::kCancelled:
      return Cancelled(change, now);
    case v1::FinishAttemptRequest::OUTCOME_NOT_SET:
      break;
  }
  return BadRequestError("INVALID_OUTCOME",
                         {{"outcome", "is missing; allowed: success, failure, cancelled"}});
}

}  // namespace

absl::Status FinishAttempt(JobChange& change, const v1::FinishAttemptRequest& request,
                           absl::Time now) {
  JobRecord& record = change.record;
  const v1::Lease& lease = request.lease();
  const bool repeat = record.finished_epoch == lease.epoch() && lease.epoch() != 0 &&
                      record.finished_epoch == record.lease_epoch;
  if (repeat) return absl::OkStatus();
  QUANTRY_RETURN_IF_ERROR(CheckFence(record, lease, request.worker_id()));
  QUANTRY_RETURN_IF_ERROR(ApplyOutcome(change, request, now));
  record.finished_epoch = lease.epoch();
  return absl::OkStatus();
}

}  // namespace quantry::server
