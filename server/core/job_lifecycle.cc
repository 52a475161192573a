#include "server/core/job_lifecycle.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/job_id.h"
#include "server/core/job_state.h"
#include "server/core/job_transitions.h"

namespace quantry::server {

JobChange SubmitJob(std::string id, std::string name_space, const v1::JobSpec& spec,
                    std::string model_blob, absl::Time now) {
  JobChange change;
  JobRecord& record = change.record;
  record.job.set_name(JobName(id));
  record.job.set_namespace_(std::move(name_space));
  record.id = std::move(id);
  record.model_blob = std::move(model_blob);
  record.queued_since = now;
  *record.job.mutable_spec() = spec;
  record.job.set_state(v1::JOB_STATE_QUEUED);
  record.job.set_state_reason("submitted");
  *record.job.mutable_create_time() = ToProto(now);
  *record.job.mutable_update_time() = ToProto(now);

  v1::Event event;
  event.mutable_state_change()->set_state(v1::JOB_STATE_QUEUED);
  event.mutable_state_change()->set_reason("submitted");
  change.Add(std::move(event), now);
  return change;
}

absl::Status LeaseJob(JobChange& change, absl::string_view worker_id, absl::string_view device,
                      absl::Time now) {
  JobRecord& record = change.record;
  record.job.set_attempt(record.job.attempt() + 1);
  record.job.set_worker(WorkerName(worker_id));
  record.job.clear_progress();
  ++record.lease_epoch;
  record.lease_device = std::string(device);
  record.next_event_number = 1;
  record.attempt_start = now;
  return ApplyTrigger(change, JobTrigger::kLease,
                      absl::StrCat("leased by ", WorkerName(worker_id), " on ", device),
                      std::nullopt, now);
}

absl::Status CheckFence(const JobRecord& record, const v1::Lease& lease,
                        absl::string_view worker_id) {
  const v1::Job& job = record.job;
  if (IsHeld(job.state()) && lease.epoch() == record.lease_epoch &&
      lease.attempt() == job.attempt() && job.worker() == WorkerName(worker_id)) {
    return absl::OkStatus();
  }
  return PreconditionError(
      "STALE_LEASE", job.name(),
      absl::StrCat("lease (", job.name(), ", attempt ", lease.attempt(), ", epoch ", lease.epoch(),
                   ") of ", WorkerName(worker_id), " is over: the job is ",
                   JobStateName(job.state()), ", attempt ", job.attempt(), ", epoch ",
                   record.lease_epoch, "; end its trainer"));
}

absl::Status LoseLease(JobChange& change, int64_t epoch, const v1::Failure& failure,
                       absl::Time now) {
  const JobRecord& record = change.record;
  if (!IsHeld(record.job.state()) || record.lease_epoch != epoch) return absl::OkStatus();
  return EndFailedAttempt(change, failure, now);
}

void RequestRoom(JobChange& change, int64_t epoch, absl::Time now) {
  v1::Job& job = change.record.job;
  const bool held = IsHeld(job.state()) && change.record.lease_epoch == epoch;
  if (!held || job.preempt_requested()) return;
  job.set_preempt_requested(true);
  job.set_state_reason(
      "makes room for a job of higher priority; the trainer is writing a checkpoint");
  *job.mutable_update_time() = ToProto(now);
}

absl::Status ExpireQueued(JobChange& change, absl::Time now) {
  const v1::Job& job = change.record.job;
  if (job.state() != v1::JOB_STATE_QUEUED || job.attempt() > 0) return absl::OkStatus();
  v1::Failure failure;
  failure.set_kind(v1::FAILURE_KIND_QUOTA);
  failure.set_reason("QUEUE_DEADLINE_EXCEEDED");
  failure.set_message(
      "no worker took the job within its queue_deadline; allow more time, ask for less, or raise "
      "its "
      "priority");
  return ApplyTrigger(change, JobTrigger::kExpire,
                      absl::StrCat("QUOTA ", failure.reason(), ": ", failure.message()), failure,
                      now);
}

}  // namespace quantry::server
