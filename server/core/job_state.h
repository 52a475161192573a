#ifndef QUANTRY_SERVER_CORE_JOB_STATE_H_
#define QUANTRY_SERVER_CORE_JOB_STATE_H_

#include <array>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quantry/v1/event.pb.h"

namespace quantry::server {

// What can happen to a job.
enum class JobTrigger {
  kLease,    // a worker takes it
  kStart,    // its trainer begins
  kSucceed,  // the attempt ended with a result
  kFail,     // the attempt failed and there is no other
  kRequeue,  // the attempt was lost and there is another
  kCancel,   // cancelled, and no trainer works on it any more
  kExpire,   // it waited for too long
  kPause,    // put aside, and no trainer works on it any more
  kResume,   // a client queues it again after a pause
  kRetry,    // a client queues it again after its end
};

// One allowed step of the state machine.
struct JobTransition {
  v1::JobState from;
  JobTrigger trigger;
  v1::JobState to;
};

// The whole state machine: what is not here is refused.
inline constexpr std::array<JobTransition, 18> kJobTransitions = {{
    {v1::JOB_STATE_QUEUED, JobTrigger::kLease, v1::JOB_STATE_LEASED},
    {v1::JOB_STATE_QUEUED, JobTrigger::kCancel, v1::JOB_STATE_CANCELLED},
    {v1::JOB_STATE_LEASED, JobTrigger::kStart, v1::JOB_STATE_RUNNING},
    {v1::JOB_STATE_LEASED, JobTrigger::kRequeue, v1::JOB_STATE_QUEUED},
    {v1::JOB_STATE_LEASED, JobTrigger::kFail, v1::JOB_STATE_FAILED},
    {v1::JOB_STATE_LEASED, JobTrigger::kCancel, v1::JOB_STATE_CANCELLED},
    {v1::JOB_STATE_RUNNING, JobTrigger::kSucceed, v1::JOB_STATE_SUCCEEDED},
    {v1::JOB_STATE_RUNNING, JobTrigger::kRequeue, v1::JOB_STATE_QUEUED},
    {v1::JOB_STATE_RUNNING, JobTrigger::kFail, v1::JOB_STATE_FAILED},
    {v1::JOB_STATE_RUNNING, JobTrigger::kCancel, v1::JOB_STATE_CANCELLED},
    {v1::JOB_STATE_QUEUED, JobTrigger::kExpire, v1::JOB_STATE_FAILED},
    {v1::JOB_STATE_QUEUED, JobTrigger::kPause, v1::JOB_STATE_PAUSED},
    {v1::JOB_STATE_LEASED, JobTrigger::kPause, v1::JOB_STATE_PAUSED},
    {v1::JOB_STATE_RUNNING, JobTrigger::kPause, v1::JOB_STATE_PAUSED},
    {v1::JOB_STATE_PAUSED, JobTrigger::kResume, v1::JOB_STATE_QUEUED},
    {v1::JOB_STATE_PAUSED, JobTrigger::kCancel, v1::JOB_STATE_CANCELLED},
    {v1::JOB_STATE_FAILED, JobTrigger::kRetry, v1::JOB_STATE_QUEUED},
    {v1::JOB_STATE_CANCELLED, JobTrigger::kRetry, v1::JOB_STATE_QUEUED},
}};

// The state after `trigger`; FAILED_PRECONDITION with reason BAD_TRANSITION if the table has no
// such step. `job_name` ("jobs/ID") goes into the error.
absl::StatusOr<v1::JobState> NextJobState(v1::JobState from, JobTrigger trigger,
                                          absl::string_view job_name);

// SUCCEEDED, FAILED or CANCELLED: nothing changes the job any more, but for a client's RetryJob.
bool IsTerminal(v1::JobState state);

// LEASED or RUNNING: a worker holds the job.
bool IsHeld(v1::JobState state);

// "QUEUED" for JOB_STATE_QUEUED.
std::string JobStateName(v1::JobState state);

absl::string_view JobTriggerName(JobTrigger trigger);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_JOB_STATE_H_
