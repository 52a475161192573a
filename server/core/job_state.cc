#include "server/core/job_state.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/core/error_details.h"

namespace quantry::server {

absl::StatusOr<v1::JobState> NextJobState(v1::JobState from, JobTrigger trigger,
                                          absl::string_view job_name) {
  for (const JobTransition& transition : kJobTransitions) {
    if (transition.from == from && transition.trigger == trigger) return transition.to;
  }
  return PreconditionError("BAD_TRANSITION", job_name,
                           absl::StrCat(job_name, " is ", JobStateName(from), ": cannot ",
                                        JobTriggerName(trigger), " a job in this state"));
}

bool IsTerminal(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

bool IsHeld(v1::JobState state) {
  return state == v1::JOB_STATE_LEASED || state == v1::JOB_STATE_RUNNING;
}

std::string JobStateName(v1::JobState state) {
  return std::string(absl::StripPrefix(v1::JobState_Name(state), "JOB_STATE_"));
}

absl::string_view JobTriggerName(JobTrigger trigger) {
  switch (trigger) {
    case JobTrigger::kLease:
      return "lease";
    case JobTrigger::kStart:
      return "start";
    case JobTrigger::kSucceed:
      return "complete";
    case JobTrigger::kFail:
      return "fail";
    case JobTrigger::kRequeue:
      return "requeue";
    case JobTrigger::kCancel:
      return "cancel";
    case JobTrigger::kExpire:
      return "expire";
    case JobTrigger::kPause:
      return "pause";
    case JobTrigger::kResume:
      return "resume";
    case JobTrigger::kRetry:
      return "retry";
  }
  return "change";
}

}  // namespace quantry::server
