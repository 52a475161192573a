#include "server/rpc/lease_controller.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/job_id.h"
#include "server/core/job_lifecycle.h"
#include "server/core/job_state.h"
#include "server/core/retry_policy.h"
#include "server/rpc/worker_requests.h"

namespace quantry::server {
namespace {

constexpr int kCandidates = 16;  // of each namespace
constexpr absl::Duration kMaxWait = absl::Seconds(60);
constexpr std::chrono::milliseconds kPollSlice(1000);
constexpr char kLeaseExpired[] = "LEASE_EXPIRED";

v1::Failure MakeFailure(v1::FailureKind kind, const std::string& reason,
                        const std::string& message) {
  v1::Failure failure;
  failure.set_kind(kind);
  failure.set_reason(reason);
  failure.set_message(message);
  return failure;
}

v1::AcquireLeaseResponse LeaseAnswer(const JobRecord& record) {
  v1::AcquireLeaseResponse response;
  response.mutable_lease()->set_job(record.job.name());
  response.mutable_lease()->set_attempt(record.job.attempt());
  response.mutable_lease()->set_epoch(record.lease_epoch);
  *response.mutable_job() = record.job;
  response.set_model_blob(record.model_blob);
  response.set_checkpoint_blob(record.job.checkpoint().blob());
  return response;
}

}  // namespace

absl::Status LeaseController::Load() { return Observe(); }

absl::Status LeaseController::Observe() {
  const absl::Duration now = state_.clock.Monotonic();
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<StoredWorker> workers, state_.jobs.Workers());
  state_.workers.Observe(workers, now);
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<StoredLease> leases, state_.jobs.Leases());
  for (const StoredLease& lease : state_.leases.Observe(leases, now)) {
    const absl::StatusOr<JobRecord> record = state_.jobs.Get(lease.job_id);
    if (absl::IsNotFound(record.status())) continue;
    QUANTRY_RETURN_IF_ERROR(record.status());
    if (IsHeld(record->job.state())) StartLease(*record);
  }
  return absl::OkStatus();
}

void LeaseController::StartLease(const JobRecord& record) {
  const absl::Duration now = state_.clock.Monotonic();
  absl::Duration run_limit = absl::InfiniteDuration();
  if (record.job.spec().has_run_deadline()) {
    const absl::Duration elapsed =
        std::max(state_.clock.Now() - record.attempt_start, absl::ZeroDuration());
    run_limit = now + FromProto(record.job.spec().run_deadline()) - record.run_time - elapsed;
  }
  state_.leases.Grant({.job_id = record.id,
                       .epoch = record.lease_epoch,
                       .worker_id = LeaseWorkerId(record),
                       .device = record.lease_device,
                       .run_limit = run_limit,
                       .name_space = record.job.namespace_(),
                       .priority = record.job.spec().priority(),
                       .device_count = std::max(1, record.job.spec().resources().device_count()),
                       .yielding = record.job.preempt_requested()},
                      now);
}

absl::Status LeaseController::LookFor(const std::string& job_id, const v1::Lease& lease) {
  const bool known = !state_.jobs.IsShared() || state_.leases.Knows(job_id, lease.epoch());
  return known ? absl::OkStatus() : Observe();
}

absl::StatusOr<v1::RegisterWorkerResponse> LeaseController::RegisterWorker(
    const v1::RegisterWorkerRequest& request) {
  QUANTRY_RETURN_IF_ERROR(CheckRegistration(request));
  QUANTRY_RETURN_IF_ERROR(state_.jobs.PutWorker(request));
  state_.workers.Register(request, state_.clock.Monotonic());
  spdlog::info("worker registered worker={} hostname={} devices={}", request.worker_id(),
               request.hostname(), request.devices_size());
  v1::RegisterWorkerResponse response;
  *response.mutable_lease_duration() = ToProto(state_.leases.lease_duration());
  *response.mutable_heartbeat_interval() = ToProto(state_.leases.lease_duration() / 3);
  return response;
}

absl::Status LeaseController::Touch(const std::string& worker_id) {
  const absl::Duration now = state_.clock.Monotonic();
  if (state_.workers.Touch(worker_id, now)) {
    const bool tell = state_.jobs.IsShared() && state_.workers.IsBeatDue(worker_id, now);
    return tell ? state_.jobs.BeatWorker(worker_id) : absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kNotFound, "WORKER_NOT_FOUND",
                   absl::StrCat("worker '", worker_id.substr(0, 80),
                                "' is not registered; call RegisterWorker first"));
}

absl::StatusOr<v1::AcquireLeaseResponse> LeaseController::AcquireLease(
    const v1::AcquireLeaseRequest& request, absl::FunctionRef<bool()> is_cancelled) {
  QUANTRY_RETURN_IF_ERROR(Touch(request.worker_id()));
  const auto device = state_.workers.FindDevice(request.worker_id(), request.device());
  if (!device.has_value()) {
    return BadRequestError("UNKNOWN_DEVICE",
                           {{"device", absl::StrCat("'", request.device().substr(0, 80),
                                                    "' is none of the worker's devices")}});
  }
  DeviceTurns::Call call(turns_, request.worker_id(), device->id());
  QUANTRY_ASSIGN_OR_RETURN(auto earlier, InTurn(call, [&] {
                             return RedeliverLease(request.worker_id(), device->id());
                           }));
  if (earlier.has_value()) return *std::move(earlier);
  using std::chrono::steady_clock;
  const absl::Duration wait = std::clamp(FromProto(request.wait()), absl::ZeroDuration(), kMaxWait);
  const auto deadline = steady_clock::now() + absl::ToChronoNanoseconds(wait);
  Notifier::Subscription subscription(state_.notifier, kQueueTopic);
  while (!state_.notifier.IsShutdown() && !is_cancelled()) {
    QUANTRY_RETURN_IF_ERROR(Touch(request.worker_id()));
    QUANTRY_ASSIGN_OR_RETURN(
        auto answer, InTurn(call, [&] { return TryAcquire(request.worker_id(), *device); }));
    if (answer.has_value()) return *std::move(answer);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) break;
    // A slice at a time: to notice a caller that went away and jobs whose back-off is over.
    subscription.Wait(std::min(left, kPollSlice));
  }
  return v1::AcquireLeaseResponse();
}

LeaseController::OptionalLease LeaseController::InTurn(DeviceTurns::Call& call,
                                                       absl::FunctionRef<OptionalLease()> body) {
  const DeviceTurns::Turn turn = call.Take();
  if (turn.IsNewest()) return body();
  return MakeError(absl::StatusCode::kAborted, "NEWER_CALL",
                   "the worker has asked for a job on this device again since; this call is over");
}

LeaseController::OptionalLease LeaseController::TryAcquire(const std::string& worker_id,
                                                           const v1::Device& device) {
  while (true) {
    if (state_.workers.IsDraining(worker_id)) return std::nullopt;
    QUANTRY_ASSIGN_OR_RETURN(const auto id, ClaimJob(worker_id, device));
    if (!id.has_value()) return std::nullopt;
    const absl::Cleanup unclaim = [&] {
      absl::MutexLock lock(&mutex_);
      claims_.erase(*id);
    };
    const absl::Time now = state_.clock.Now();
    absl::Duration waited;
    const auto record = state_.jobs.Update(*id, [&](JobChange& change) {
      waited = std::max(now - change.record.queued_since, absl::ZeroDuration());
      return LeaseJob(change, worker_id, device.id(), now);
    });
    // It was leased or cancelled since the queue was read: choose again.
    if (ErrorReason(record.status()) == "BAD_TRANSITION") continue;
    QUANTRY_RETURN_IF_ERROR(record.status());
    state_.backoff.Forget(*id);
    StartLease(*record);
    state_.metrics.RecordQueueWait(waited);
    state_.notifier.Notify(*id);
    spdlog::info("lease granted job={} attempt={} epoch={} worker={} device={}", *id,
                 record->job.attempt(), record->lease_epoch, worker_id, device.id());
    return LeaseAnswer(*record);
  }
}

LeaseController::OptionalLease LeaseController::RedeliverLease(const std::string& worker_id,
                                                               const std::string& device_id) {
  if (state_.jobs.IsShared()) QUANTRY_RETURN_IF_ERROR(Observe());
  const auto held = state_.leases.HeldBy(worker_id, device_id);
  if (!held.has_value()) return std::nullopt;
  QUANTRY_ASSIGN_OR_RETURN(const JobRecord record, state_.jobs.Get(held->job_id));
  const bool fresh =
      record.job.state() == v1::JOB_STATE_LEASED && record.lease_epoch == held->epoch;
  if (fresh && state_.leases.Renew(held->job_id, held->epoch, state_.clock.Monotonic())) {
    return LeaseAnswer(record);
  }
  QUANTRY_RETURN_IF_ERROR(
      LoseLease(*held, MakeFailure(v1::FAILURE_KIND_INFRASTRUCTURE, "WORKER_RESTARTED",
                                   absl::StrCat(WorkerName(worker_id), " asked for a new job on ",
                                                device_id, " while it held this one"))));
  return std::nullopt;
}

absl::StatusOr<std::optional<std::string>> LeaseController::ClaimJob(const std::string& worker_id,
                                                                     const v1::Device& given) {
  const DeviceView device{given.id(), given.kind(), given.memory_bytes()};
  absl::MutexLock lock(&mutex_);
  QUANTRY_ASSIGN_OR_RETURN(
      std::vector<QueuedJob> queue,
      state_.jobs.Queued(&device, kCandidates + static_cast<int>(claims_.size())));
  std::erase_if(queue, [&](const QueuedJob& job) { return claims_.contains(job.id); });
  const absl::Duration now = state_.clock.Monotonic();
  for (QueuedJob& job : queue) {
    job.not_before = state_.backoff.NotBefore(job.id, job.lease_epoch, job.backoff, now);
  }
  const auto chosen = ChooseJob(queue, worker_id, device, state_.workers.Alive(now),
                                state_.quotas.ShareOut(state_.leases.All()), now);
  if (!chosen.has_value()) return std::nullopt;
  claims_.insert(queue[*chosen].id);
  return queue[*chosen].id;
}

absl::StatusOr<v1::HeartbeatResponse> LeaseController::Heartbeat(
    const v1::HeartbeatRequest& request) {
  QUANTRY_RETURN_IF_ERROR(Touch(request.worker_id()));
  v1::HeartbeatResponse response;
  if (!request.has_lease()) return response;
  QUANTRY_ASSIGN_OR_RETURN(const std::string id, ParseJobName(request.lease().job(), "lease.job"));
  QUANTRY_RETURN_IF_ERROR(LookFor(id, request.lease()));
  QUANTRY_ASSIGN_OR_RETURN(const JobRecord record, state_.jobs.Get(id));
  QUANTRY_RETURN_IF_ERROR(CheckFence(record, request.lease(), request.worker_id()));
  if (!state_.leases.Renew(id, request.lease().epoch(), state_.clock.Monotonic())) {
    return LeaseRanOut(request.lease());
  }
  if (state_.jobs.IsShared()) {
    QUANTRY_RETURN_IF_ERROR(state_.jobs.BeatLease(id, request.lease().epoch()));
  }
  response.set_cancel(record.job.cancel_requested());
  response.set_yield((record.job.pause_requested() || record.job.preempt_requested()) &&
                     !record.job.cancel_requested());
  return response;
}

absl::StatusOr<v1::ReportEventsResponse> LeaseController::ReportEvents(
    const v1::ReportEventsRequest& request) {
  QUANTRY_RETURN_IF_ERROR(Touch(request.worker_id()));
  QUANTRY_ASSIGN_OR_RETURN(const std::string id, ParseJobName(request.lease().job(), "lease.job"));
  QUANTRY_RETURN_IF_ERROR(LookFor(id, request.lease()));
  QUANTRY_RETURN_IF_ERROR(CheckCheckpointBlobs(state_.blobs, request.events()));
  const absl::Time now = state_.clock.Now();
  const auto record = state_.jobs.Update(id, [&](JobChange& change) -> absl::Status {
    QUANTRY_RETURN_IF_ERROR(CheckFence(change.record, request.lease(), request.worker_id()));
    if (!state_.leases.IsLive(id, request.lease().epoch(), state_.clock.Monotonic())) {
      return LeaseRanOut(request.lease());
    }
    return AppendTrainerEvents(change, request.first_number(), request.events(), now);
  });
  QUANTRY_RETURN_IF_ERROR(record.status());
  state_.notifier.Notify(id);
  v1::ReportEventsResponse response;
  response.set_next_number(record->next_event_number);
  return response;
}

absl::StatusOr<v1::FinishAttemptResponse> LeaseController::FinishAttempt(
    const v1::FinishAttemptRequest& request) {
  QUANTRY_RETURN_IF_ERROR(Touch(request.worker_id()));
  QUANTRY_ASSIGN_OR_RETURN(const std::string id, ParseJobName(request.lease().job(), "lease.job"));
  QUANTRY_RETURN_IF_ERROR(LookFor(id, request.lease()));
  QUANTRY_RETURN_IF_ERROR(CheckArtifacts(state_.blobs, request));
  const absl::Time now = state_.clock.Now();
  const int64_t epoch = request.lease().epoch();
  bool repeat = false;
  const auto record = state_.jobs.Update(id, [&](JobChange& change) -> absl::Status {
    QUANTRY_RETURN_IF_ERROR(quantry::server::FinishAttempt(change, request, now));
    repeat = change.events.empty();
    if (!repeat && !state_.leases.IsLive(id, epoch, state_.clock.Monotonic())) {
      return LeaseRanOut(request.lease());
    }
    if (!repeat) BackOff(change.record);
    return absl::OkStatus();
  });
  QUANTRY_RETURN_IF_ERROR(record.status());
  if (!repeat) AfterAttempt(*record, epoch, AttemptCause(record->job, request));
  v1::FinishAttemptResponse response;
  response.set_state(record->job.state());
  return response;
}

void LeaseController::Sweep() {
  const absl::Duration now = state_.clock.Monotonic();
  state_.backoff.Prune(now);
  if (state_.jobs.IsShared()) {
    // Without the store nothing is known of other servers' leases: none must be ended.
    if (const absl::Status status = Observe(); !status.ok()) {
      spdlog::error("leases could not be read error=\"{}\"", status.ToString());
      return;
    }
  }
  for (const LeaseTable::Entry& entry : state_.leases.Expired(now)) {
    const absl::Status status = LoseLease(
        entry, MakeFailure(v1::FAILURE_KIND_INFRASTRUCTURE, kLeaseExpired,
                           absl::StrCat("lease expired: ", WorkerName(entry.worker_id),
                                        " was not heard of for ",
                                        absl::FormatDuration(state_.leases.lease_duration()))));
    if (status.ok()) {
      state_.metrics.RecordLeaseExpired();
    } else {
      spdlog::error("lease could not be ended job={} error=\"{}\"", entry.job_id,
                    status.ToString());
    }
  }
  for (const LeaseTable::Entry& entry : state_.leases.OverRunLimit(now)) {
    const absl::Status status =
        LoseLease(entry, MakeFailure(v1::FAILURE_KIND_USER, "RUN_DEADLINE_EXCEEDED",
                                     "the job has run for longer than its run_deadline; allow more "
                                     "time or ask for less work"));
    if (!status.ok()) {
      spdlog::error("deadline could not be enforced job={} error=\"{}\"", entry.job_id,
                    status.ToString());
    }
  }
}

absl::Status LeaseController::LoseLease(const LeaseTable::Entry& entry,
                                        const v1::Failure& failure) {
  const absl::Time now = state_.clock.Now();
  bool lost = false;
  bool renewed = false;
  const auto record = state_.jobs.Update(entry.job_id, [&](JobChange& change) -> absl::Status {
    lost = false;
    // Another server may have renewed it since the store was observed.
    renewed = failure.reason() == kLeaseExpired && change.record.lease_epoch == entry.epoch &&
              change.record.lease_beat != state_.leases.Beat(entry.job_id, entry.epoch);
    if (renewed) return absl::OkStatus();
    QUANTRY_RETURN_IF_ERROR(quantry::server::LoseLease(change, entry.epoch, failure, now));
    lost = !change.events.empty();
    if (lost) BackOff(change.record);
    return absl::OkStatus();
  });
  QUANTRY_RETURN_IF_ERROR(record.status());
  if (renewed) return absl::OkStatus();
  if (!lost) {
    state_.leases.Release(entry.job_id, entry.epoch);
    return absl::OkStatus();
  }
  AfterAttempt(
      *record, entry.epoch,
      record->job.state() == v1::JOB_STATE_CANCELLED ? "cancelled" : FailureCause(failure.kind()));
  return absl::OkStatus();
}

void LeaseController::BackOff(const JobRecord& record) {
  if (record.job.state() != v1::JOB_STATE_QUEUED) return;
  state_.backoff.NotBefore(record.id, record.lease_epoch, record.backoff, state_.clock.Monotonic());
}

void LeaseController::AfterAttempt(const JobRecord& record, int64_t epoch,
                                   const std::string& cause) {
  const v1::Job& job = record.job;
  state_.leases.Release(record.id, epoch);
  state_.metrics.RecordAttempt(cause);
  if (job.state() != v1::JOB_STATE_QUEUED) state_.metrics.RecordJobEnd(job);
  spdlog::info("attempt ended job={} attempt={} cause={} state={} reason=\"{}\"", record.id,
               job.attempt(), cause, JobStateName(job.state()), job.state_reason());
  state_.notifier.Notify(record.id);
  state_.notifier.Notify(kQueueTopic);
}

}  // namespace quantry::server
