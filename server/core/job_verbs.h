#ifndef QUANTRY_SERVER_CORE_JOB_VERBS_H_
#define QUANTRY_SERVER_CORE_JOB_VERBS_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/core/job_record.h"

namespace quantry::server {

// What clients may ask for a job that is stored, as pure functions like those of job_lifecycle.h:
// FAILED_PRECONDITION where the state does not allow it, OK without a change for a repeat.

// Ends a waiting job at once, notes the wish for one that a worker holds.
absl::Status RequestCancel(JobChange& change, absl::Time now);

// Puts a waiting job aside at once, notes the wish for one that a worker holds.
absl::Status RequestPause(JobChange& change, absl::Time now);

// Queues a paused job again; takes back a wish to pause that is not fulfilled yet.
absl::Status RequestResume(JobChange& change, absl::Time now);

// Queues a job again that has failed or was cancelled, with all its attempts before it.
absl::Status RequestRetry(JobChange& change, absl::Time now);

// Hides a job that has ended, to be purged after `retention`.
absl::Status RequestDelete(JobChange& change, absl::Duration retention, absl::Time now);
absl::Status RequestUndelete(JobChange& change, absl::Time now);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_JOB_VERBS_H_
