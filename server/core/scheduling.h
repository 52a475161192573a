#ifndef QUANTRY_SERVER_CORE_SCHEDULING_H_
#define QUANTRY_SERVER_CORE_SCHEDULING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace quantry::server {

// A waiting job, as the policy sees it.
struct QueuedJob {
  std::string id;
  int32_t priority = 0;     // larger first
  std::string device_kind;  // empty: any
  std::vector<std::string> crashed_workers;
  int64_t lease_epoch = 0;    // of its last lease
  int32_t backoff = 0;        // failed attempts after which it waits
  absl::Duration not_before;  // monotonic; after a failed attempt
};

// A worker that is heard of, as the policy sees it.
struct WorkerView {
  std::string id;
  std::vector<std::string> device_kinds;
};

// Whether a job may run on a device of this kind.
bool FitsDevice(const QueuedJob& job, absl::string_view device_kind);

// The index in `queue` of the job that a free device of kind `device_kind` on worker `worker_id`
// takes at monotonic time `now`: largest priority, then oldest (smallest id). A job whose attempts
// crashed on this worker waits for another one, if `alive` has one that fits and has not lost it.
std::optional<size_t> ChooseJob(absl::Span<const QueuedJob> queue, absl::string_view worker_id,
                                absl::string_view device_kind, absl::Span<const WorkerView> alive,
                                absl::Duration now);

// Why a job waits, for people. `jobs_ahead`: queued jobs that come before it.
std::string ExplainWait(const QueuedJob& job, int64_t jobs_ahead,
                        absl::Span<const WorkerView> alive, absl::Duration now);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_SCHEDULING_H_
