#include "server/core/scheduling.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace quantry::server {
namespace {

constexpr double kGibibyte = 1 << 30;

const NamespaceShare& ShareOf(const QueuedJob& job, const Shares& shares) {
  static const NamespaceShare& none = *new NamespaceShare();
  const auto found = shares.find(job.name_space);
  return found == shares.end() ? none : found->second;
}

bool WorkerFits(const QueuedJob& job, const WorkerView& worker) {
  return absl::c_any_of(worker.devices,
                        [&](const DeviceView& device) { return FitsDevice(job, device); });
}

// Whether the job should leave this worker to a worker on which it has not crashed.
bool PrefersAnotherWorker(const QueuedJob& job, absl::string_view worker_id,
                          absl::Span<const WorkerView> alive) {
  if (!absl::c_linear_search(job.crashed_workers, worker_id)) return false;
  return absl::c_any_of(alive, [&](const WorkerView& worker) {
    return !worker.draining && WorkerFits(job, worker) &&
           !absl::c_linear_search(job.crashed_workers, worker.id);
  });
}

// "a cuda device with 40 GiB".
std::string DeviceText(const QueuedJob& job) {
  std::string text =
      job.device_kind.empty() ? "a device" : absl::StrCat("a ", job.device_kind, " device");
  if (job.device_memory_bytes > 0) {
    absl::StrAppendFormat(&text, " with %.3g GiB",
                          static_cast<double>(job.device_memory_bytes) / kGibibyte);
  }
  return text;
}

}  // namespace

int64_t QueueRank(int32_t priority, absl::Time queued_since) {
  return absl::ToInt64Microseconds(priority * kPointOfPriority) - absl::ToUnixMicros(queued_since);
}

bool FitsDevice(const QueuedJob& job, const DeviceView& device) {
  const bool kind = job.device_kind.empty() || job.device_kind == device.kind;
  return kind && (device.memory_bytes == 0 || device.memory_bytes >= job.device_memory_bytes);
}

bool WithinQuota(const QueuedJob& job, const Shares& shares) {
  const NamespaceShare& share = ShareOf(job, shares);
  return !share.max_devices.has_value() ||
         share.devices_in_use + job.device_count <= *share.max_devices;
}

double ShareRank(const QueuedJob& job, const Shares& shares) {
  const NamespaceShare& share = ShareOf(job, shares);
  const double points = kPointsPerDeviceInUse * share.devices_in_use / share.weight;
  return static_cast<double>(job.rank) - points * absl::ToDoubleMicroseconds(kPointOfPriority);
}

std::optional<size_t> ChooseJob(absl::Span<const QueuedJob> queue, absl::string_view worker_id,
                                const DeviceView& device, absl::Span<const WorkerView> alive,
                                const Shares& shares, absl::Duration now) {
  std::optional<size_t> best;
  double best_rank = 0;
  for (size_t i = 0; i < queue.size(); ++i) {
    const QueuedJob& job = queue[i];
    if (!FitsDevice(job, device) || job.not_before > now || !WithinQuota(job, shares)) continue;
    if (PrefersAnotherWorker(job, worker_id, alive)) continue;
    const double rank = ShareRank(job, shares);
    const bool better =
        !best.has_value() || rank > best_rank || (rank == best_rank && job.id < queue[*best].id);
    if (!better) continue;
    best = i;
    best_rank = rank;
  }
  return best;
}

std::string ExplainWait(const QueuedJob& job, int64_t jobs_ahead,
                        absl::Span<const WorkerView> alive, const Shares& shares,
                        absl::Duration now) {
  if (alive.empty()) return "waits for a worker: none is connected";
  const auto fits = [&](const WorkerView& worker) { return WorkerFits(job, worker); };
  if (!absl::c_any_of(alive, fits)) {
    return absl::StrCat("waits for a worker with ", DeviceText(job), ": none of the ", alive.size(),
                        " connected has one");
  }
  if (!absl::c_any_of(alive, [&](const auto& w) { return fits(w) && !w.draining; })) {
    return "waits for a worker: all that fit are being drained";
  }
  if (job.not_before > now) {
    return absl::StrCat("waits ",
                        absl::ToInt64Seconds(absl::Ceil(job.not_before - now, absl::Seconds(1))),
                        " s before the next attempt");
  }
  if (!WithinQuota(job, shares)) {
    const NamespaceShare& share = ShareOf(job, shares);
    return absl::StrCat("waits for its namespace's quota: ", job.name_space, " uses ",
                        share.devices_in_use, " of ", *share.max_devices, " devices");
  }
  if (jobs_ahead > 0) {
    return absl::StrCat("waits for a free device: ", jobs_ahead,
                        jobs_ahead == 1 ? " job is" : " jobs are", " ahead");
  }
  return jobs_ahead == 0 ? "next: waits for a free device" : "waits for a free device";
}

namespace {

// Takes the first of `devices` that fits out of the list.
bool TakeDevice(const QueuedJob& job, std::vector<DeviceView>& devices) {
  const auto found =
      absl::c_find_if(devices, [&](const DeviceView& device) { return FitsDevice(job, device); });
  if (found == devices.end()) return false;
  devices.erase(found);
  return true;
}

}  // namespace

std::vector<std::string> PlanPreemption(absl::Span<const QueuedJob> queue,
                                        absl::Span<const RunningJob> running,
                                        absl::Span<const DeviceView> free, const Shares& shares,
                                        absl::Duration now) {
  std::vector<DeviceView> rooms(free.begin(), free.end());
  std::vector<const RunningJob*> candidates;
  for (const RunningJob& job : running) {
    if (job.yielding) {
      rooms.push_back(job.device);
    } else {
      candidates.push_back(&job);
    }
  }
  absl::c_sort(candidates, [](const RunningJob* a, const RunningJob* b) {
    return a->priority != b->priority ? a->priority < b->priority : a->since > b->since;
  });
  std::vector<const QueuedJob*> waiting;
  for (const QueuedJob& job : queue) {
    if (job.not_before <= now && WithinQuota(job, shares)) waiting.push_back(&job);
  }
  absl::c_stable_sort(waiting, [&](const QueuedJob* a, const QueuedJob* b) {
    return ShareRank(*a, shares) > ShareRank(*b, shares);
  });
  std::vector<std::string> victims;
  for (const QueuedJob* job : waiting) {
    if (TakeDevice(*job, rooms)) continue;
    const auto victim = absl::c_find_if(candidates, [&](const RunningJob* candidate) {
      return candidate->priority + kPreemptionGap <= job->priority &&
             FitsDevice(*job, candidate->device);
    });
    if (victim == candidates.end()) continue;
    victims.push_back((*victim)->id);
    candidates.erase(victim);
  }
  return victims;
}

}  // namespace quantry::server
