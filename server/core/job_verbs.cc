#include "server/core/job_verbs.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/job_state.h"
#include "server/core/job_transitions.h"

namespace quantry::server {
namespace {

absl::Status Refuse(const v1::Job& job, absl::string_view why) {
  return PreconditionError("BAD_TRANSITION", job.name(), absl::StrCat(job.name(), " ", why));
}

// Notes a wish that its worker will fulfil.
void Note(v1::Job& job, absl::string_view reason, absl::Time now) {
  job.set_state_reason(std::string(reason));
  *job.mutable_update_time() = ToProto(now);
}

// A job that waits again has no wishes, no end and no failure any more.
void Renew(v1::Job& job) {
  job.set_cancel_requested(false);
  job.set_pause_requested(false);
  job.clear_failure();
  job.clear_end_time();
  job.clear_progress();
}

}  // namespace

absl::Status RequestCancel(JobChange& change, absl::Time now) {
  v1::Job& job = change.record.job;
  if (job.state() == v1::JOB_STATE_CANCELLED || (IsHeld(job.state()) && job.cancel_requested())) {
    return absl::OkStatus();
  }
  if (!IsHeld(job.state())) {
    // SUCCEEDED and FAILED have no such step in the table, which makes the error.
    QUANTRY_RETURN_IF_ERROR(
        ApplyTrigger(change, JobTrigger::kCancel, "cancelled by user", std::nullopt, now));
    job.set_cancel_requested(true);
    return absl::OkStatus();
  }
  job.set_cancel_requested(true);
  Note(job, "cancel requested; the trainer is being ended", now);
  return absl::OkStatus();
}

absl::Status RequestPause(JobChange& change, absl::Time now) {
  v1::Job& job = change.record.job;
  if (job.state() == v1::JOB_STATE_PAUSED || job.pause_requested()) return absl::OkStatus();
  if (!IsHeld(job.state())) {
    return ApplyTrigger(change, JobTrigger::kPause, "paused by user", std::nullopt, now);
  }
  if (job.cancel_requested()) return Refuse(job, "is being cancelled: it cannot be paused");
  job.set_pause_requested(true);
  Note(job, "pause requested; the trainer is writing a checkpoint", now);
  return absl::OkStatus();
}

absl::Status RequestResume(JobChange& change, absl::Time now) {
  v1::Job& job = change.record.job;
  if (job.state() == v1::JOB_STATE_QUEUED) return absl::OkStatus();
  if (IsHeld(job.state())) {
    if (!job.pause_requested()) return absl::OkStatus();
    job.set_pause_requested(false);
    Note(job, "pause taken back", now);
    return absl::OkStatus();
  }
  // Only PAUSED has such a step in the table.
  QUANTRY_RETURN_IF_ERROR(
      ApplyTrigger(change, JobTrigger::kResume, "resumed by user", std::nullopt, now));
  change.record.backoff = 0;
  Renew(job);
  return absl::OkStatus();
}

absl::Status RequestRetry(JobChange& change, absl::Time now) {
  JobRecord& record = change.record;
  if (record.job.has_delete_time()) {
    return Refuse(record.job, "is deleted: take that back with UndeleteJob before a retry");
  }
  QUANTRY_RETURN_IF_ERROR(
      ApplyTrigger(change, JobTrigger::kRetry, "tried again by user", std::nullopt, now));
  Renew(record.job);
  record.backoff = 0;
  record.uncounted_attempts = record.job.attempt();
  record.crashed_workers.clear();
  record.run_time = absl::ZeroDuration();
  return absl::OkStatus();
}

absl::Status RequestDelete(JobChange& change, absl::Duration retention, absl::Time now) {
  v1::Job& job = change.record.job;
  if (job.has_delete_time()) return absl::OkStatus();
  if (!IsTerminal(job.state())) {
    return Refuse(job, absl::StrCat("is ", JobStateName(job.state()),
                                    ": only a job that has ended can be deleted; cancel it first"));
  }
  *job.mutable_delete_time() = ToProto(now);
  *job.mutable_purge_time() = ToProto(now + retention);
  *job.mutable_update_time() = ToProto(now);
  return absl::OkStatus();
}

absl::Status RequestUndelete(JobChange& change, absl::Time now) {
  v1::Job& job = change.record.job;
  if (!job.has_delete_time()) return absl::OkStatus();
  job.clear_delete_time();
  job.clear_purge_time();
  *job.mutable_update_time() = ToProto(now);
  return absl::OkStatus();
}

}  // namespace quantry::server
