#include "server/core/job_transitions.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "server/core/retry_policy.h"

namespace quantry::server {
namespace {

constexpr size_t kMaxLastWords = 4096;

bool IsContinuationByte(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Ends the lease's bookkeeping.
void ClearLease(JobRecord& record, absl::Time now) {
  record.job.clear_worker();
  record.lease_device.clear();
  record.run_time += std::max(now - record.attempt_start, absl::ZeroDuration());
}

v1::Failure Normalised(const v1::Failure& failure) {
  v1::Failure result = failure;
  if (result.kind() == v1::FAILURE_KIND_UNSPECIFIED) {
    result.set_kind(v1::FAILURE_KIND_INFRASTRUCTURE);
  }
  if (result.reason().empty()) result.set_reason("UNKNOWN");
  result.set_last_words(KeepTail(result.last_words(), kMaxLastWords));
  return result;
}

std::string KindText(v1::FailureKind kind) {
  return std::string(absl::StripPrefix(v1::FailureKind_Name(kind), "FAILURE_KIND_"));
}

}  // namespace

std::string KeepHead(const std::string& text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && IsContinuationByte(text[end])) --end;
  return text.substr(0, end);
}

std::string KeepTail(const std::string& text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t begin = text.size() - max_bytes;
  while (begin < text.size() && IsContinuationByte(text[begin])) ++begin;
  return text.substr(begin);
}

absl::Status ApplyTrigger(JobChange& change, JobTrigger trigger, std::string reason,
                          const std::optional<v1::Failure>& failure, absl::Time now) {
  JobRecord& record = change.record;
  v1::Job& job = record.job;
  const v1::JobState from = job.state();
  QUANTRY_ASSIGN_OR_RETURN(const v1::JobState to, NextJobState(from, trigger, job.name()));
  if (IsHeld(from) && !IsHeld(to)) ClearLease(record, now);
  if (!IsHeld(to)) {
    job.set_pause_requested(false);
    job.set_preempt_requested(false);
  }
  job.set_state(to);
  job.set_state_reason(reason);
  *job.mutable_update_time() = ToProto(now);
  if (to == v1::JOB_STATE_RUNNING && !job.has_start_time())
    *job.mutable_start_time() = ToProto(now);
  if (to == v1::JOB_STATE_QUEUED) record.queued_since = now;
  if (to == v1::JOB_STATE_FAILED && failure.has_value()) *job.mutable_failure() = *failure;
  if (IsTerminal(to)) *job.mutable_end_time() = ToProto(now);

  v1::Event event;
  v1::StateChange& state_change = *event.mutable_state_change();
  state_change.set_state(to);
  state_change.set_attempt(job.attempt());
  state_change.set_worker(job.worker());
  state_change.set_reason(std::move(reason));
  if (failure.has_value()) *state_change.mutable_failure() = *failure;
  change.Add(std::move(event), now);
  return absl::OkStatus();
}

absl::Status EndFailedAttempt(JobChange& change, const v1::Failure& given, absl::Time now) {
  JobRecord& record = change.record;
  const v1::Failure failure = Normalised(given);
  if (record.job.cancel_requested()) {
    return ApplyTrigger(change, JobTrigger::kCancel, "cancelled by user", std::nullopt, now);
  }
  if (failure.kind() == v1::FAILURE_KIND_PREEMPTED) ++record.uncounted_attempts;
  if (record.job.pause_requested() && failure.kind() != v1::FAILURE_KIND_USER) {
    return ApplyTrigger(change, JobTrigger::kPause, "paused by user", std::nullopt, now);
  }
  if (failure.kind() == v1::FAILURE_KIND_INFRASTRUCTURE) {
    const std::string worker = LeaseWorkerId(record);
    if (!absl::c_linear_search(record.crashed_workers, worker)) {
      record.crashed_workers.push_back(worker);
    }
  }
  const int32_t max_attempts =
      record.job.spec().has_max_attempts() ? record.job.spec().max_attempts() : kDefaultMaxAttempts;
  const int32_t counted = record.job.attempt() - record.uncounted_attempts;
  if (failure.kind() == v1::FAILURE_KIND_PREEMPTED) {
    record.backoff = 0;
    return ApplyTrigger(change, JobTrigger::kRequeue,
                        absl::StrCat("preempted (", failure.reason(), "): ", failure.message()),
                        failure, now);
  }
  const std::string attempts = absl::StrCat("attempt ", counted, " of ", max_attempts);
  if (ShouldRetry(failure.kind(), counted, max_attempts)) {
    record.backoff = counted;
    return ApplyTrigger(change, JobTrigger::kRequeue,
                        absl::StrCat(attempts, " failed (", failure.reason(),
                                     "): ", failure.message(), "; it will be tried again"),
                        failure, now);
  }
  return ApplyTrigger(change, JobTrigger::kFail,
                      absl::StrCat(KindText(failure.kind()), " ", failure.reason(), " in ",
                                   attempts, ": ", failure.message()),
                      failure, now);
}

}  // namespace quantry::server
