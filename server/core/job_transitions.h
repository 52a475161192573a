#ifndef QUANTRY_SERVER_CORE_JOB_TRANSITIONS_H_
#define QUANTRY_SERVER_CORE_JOB_TRANSITIONS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "quantry/v1/event.pb.h"
#include "server/core/job_record.h"
#include "server/core/job_state.h"

namespace quantry::server {

// Moves the job along the state table and adds the StateChange event: `reason` is for people,
// `failure` goes with FAILED and with QUEUED after a failed attempt. Sets the record's times and,
// when no worker holds the job afterwards, clears what belongs to the lease.
absl::Status ApplyTrigger(JobChange& change, JobTrigger trigger, std::string reason,
                          const std::optional<v1::Failure>& failure, absl::Time now);

// Ends the current attempt with `failure`: CANCELLED if a cancel was asked for, QUEUED again if the
// retry policy gives another attempt, else FAILED.
absl::Status EndFailedAttempt(JobChange& change, const v1::Failure& failure, absl::Time now);

// `text` cut to at most `max_bytes` without breaking a UTF-8 character: its beginning, or its end.
std::string KeepHead(const std::string& text, size_t max_bytes);
std::string KeepTail(const std::string& text, size_t max_bytes);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_JOB_TRANSITIONS_H_
