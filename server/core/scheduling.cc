#include "server/core/scheduling.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

namespace quantry::server {
namespace {

bool Before(const QueuedJob& a, const QueuedJob& b) {
  return a.priority != b.priority ? a.priority > b.priority : a.id < b.id;
}

bool WorkerFits(const QueuedJob& job, const WorkerView& worker) {
  return absl::c_any_of(worker.device_kinds,
                        [&](const std::string& kind) { return FitsDevice(job, kind); });
}

// Whether the job should leave this worker to a worker on which it has not crashed.
bool PrefersAnotherWorker(const QueuedJob& job, absl::string_view worker_id,
                          absl::Span<const WorkerView> alive) {
  if (!absl::c_linear_search(job.crashed_workers, worker_id)) return false;
  return absl::c_any_of(alive, [&](const WorkerView& worker) {
    return WorkerFits(job, worker) && !absl::c_linear_search(job.crashed_workers, worker.id);
  });
}

}  // namespace

bool FitsDevice(const QueuedJob& job, absl::string_view device_kind) {
  return job.device_kind.empty() || job.device_kind == device_kind;
}

std::optional<size_t> ChooseJob(absl::Span<const QueuedJob> queue, absl::string_view worker_id,
                                absl::string_view device_kind, absl::Span<const WorkerView> alive,
                                absl::Duration now) {
  std::optional<size_t> best;
  for (size_t i = 0; i < queue.size(); ++i) {
    const QueuedJob& job = queue[i];
    if (!FitsDevice(job, device_kind) || job.not_before > now) continue;
    if (PrefersAnotherWorker(job, worker_id, alive)) continue;
    if (!best.has_value() || Before(job, queue[*best])) best = i;
  }
  return best;
}

std::string ExplainWait(const QueuedJob& job, int64_t jobs_ahead,
                        absl::Span<const WorkerView> alive, absl::Duration now) {
  if (alive.empty()) return "waits for a worker: none is connected";
  const bool fits =
      absl::c_any_of(alive, [&](const WorkerView& worker) { return WorkerFits(job, worker); });
  if (!fits) {
    return absl::StrCat("waits for a worker with a ", job.device_kind, " device: none of the ",
                        alive.size(), " connected has one");
  }
  if (job.not_before > now) {
    return absl::StrCat("waits ",
                        absl::ToInt64Seconds(absl::Ceil(job.not_before - now, absl::Seconds(1))),
                        " s before the next attempt");
  }
  if (jobs_ahead > 0) {
    return absl::StrCat("waits for a free device: ", jobs_ahead,
                        jobs_ahead == 1 ? " job is" : " jobs are", " ahead");
  }
  return "next: waits for a free device";
}

}  // namespace quantry::server
