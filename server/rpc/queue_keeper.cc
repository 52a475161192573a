#include "server/rpc/queue_keeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "common/status_macros.h"
#include "server/core/job_lifecycle.h"
#include "server/core/job_state.h"

namespace quantry::server {
namespace {

constexpr int kCandidates = 16;  // of each namespace

}  // namespace

void QueueKeeper::Run() {
  for (const auto& [what, status] :
       {std::pair("read quotas", ReadQuotas()), std::pair("make room", MakeRoom()),
        std::pair("end jobs that waited", ExpireQueued())}) {
    if (!status.ok()) spdlog::error("could not {} error=\"{}\"", what, status.ToString());
  }
}

absl::Status QueueKeeper::ReadQuotas() {
  QUANTRY_ASSIGN_OR_RETURN(const auto quotas, quotas_.List());
  state_.quotas.Replace(quotas);
  return absl::OkStatus();
}

std::vector<DeviceView> QueueKeeper::FreeDevices(const std::vector<LeaseTable::Entry>& leases,
                                                 absl::Duration now) const {
  std::set<std::pair<std::string, std::string>> held;
  for (const LeaseTable::Entry& lease : leases) held.emplace(lease.worker_id, lease.device);
  std::vector<DeviceView> free;
  for (const WorkerView& worker : state_.workers.Alive(now)) {
    if (worker.draining) continue;
    for (const DeviceView& device : worker.devices) {
      if (!held.contains({worker.id, device.id})) free.push_back(device);
    }
  }
  return free;
}

std::vector<RunningJob> QueueKeeper::Running(const std::vector<LeaseTable::Entry>& leases) const {
  std::vector<RunningJob> running;
  for (const LeaseTable::Entry& lease : leases) {
    const auto device = state_.workers.FindDevice(lease.worker_id, lease.device);
    if (!device.has_value()) continue;
    running.push_back({.id = lease.job_id,
                       .priority = lease.priority,
                       .device = {device->id(), device->kind(), device->memory_bytes()},
                       .since = lease.granted,
                       .yielding = lease.yielding});
  }
  return running;
}

absl::Status QueueKeeper::MakeRoom() {
  const absl::Duration now = state_.clock.Monotonic();
  const std::vector<LeaseTable::Entry> leases = state_.leases.All();
  if (leases.empty()) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(std::vector<QueuedJob> queue, state_.jobs.Queued(nullptr, kCandidates));
  for (QueuedJob& job : queue) {
    job.not_before = state_.backoff.NotBefore(job.id, job.lease_epoch, job.backoff, now);
  }
  const std::vector<std::string> victims = PlanPreemption(
      queue, Running(leases), FreeDevices(leases, now), state_.quotas.ShareOut(leases), now);
  for (const std::string& id : victims) {
    const int64_t epoch =
        absl::c_find_if(leases, [&](const auto& lease) { return lease.job_id == id; })->epoch;
    const absl::Time wall = state_.clock.Now();
    QUANTRY_RETURN_IF_ERROR(state_.jobs
                                .Update(id,
                                        [&](JobChange& change) {
                                          RequestRoom(change, epoch, wall);
                                          return absl::OkStatus();
                                        })
                                .status());
    state_.leases.SetYielding(id, epoch);
    spdlog::info("job asked to make room job={} epoch={}", id, epoch);
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> QueueKeeper::Deadline(const std::string& job_id) {
  const auto found = deadlines_.find(job_id);
  if (found != deadlines_.end()) return found->second;
  QUANTRY_ASSIGN_OR_RETURN(const JobRecord record, state_.jobs.Get(job_id));
  // The wall clock counts only for what came before this server looked.
  const absl::Duration waited =
      std::max(state_.clock.Now() - record.queued_since, absl::ZeroDuration());
  const absl::Duration deadline =
      state_.clock.Monotonic() + FromProto(record.job.spec().queue_deadline()) - waited;
  deadlines_[job_id] = deadline;
  return deadline;
}

absl::Status QueueKeeper::ExpireQueued() {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<std::string> ids, state_.jobs.QueuedWithDeadline());
  const std::set<std::string> waiting(ids.begin(), ids.end());
  std::erase_if(deadlines_, [&](const auto& entry) { return !waiting.contains(entry.first); });
  for (const std::string& id : ids) {
    const absl::StatusOr<absl::Duration> deadline = Deadline(id);
    if (absl::IsNotFound(deadline.status())) continue;
    QUANTRY_RETURN_IF_ERROR(deadline.status());
    if (state_.clock.Monotonic() < *deadline) continue;
    const absl::Time wall = state_.clock.Now();
    bool ended = false;
    const auto record = state_.jobs.Update(id, [&](JobChange& change) {
      const absl::Status status = quantry::server::ExpireQueued(change, wall);
      ended = !change.events.empty();
      return status;
    });
    QUANTRY_RETURN_IF_ERROR(record.status());
    if (!ended) continue;
    state_.metrics.RecordJobEnd(record->job);
    state_.notifier.Notify(id);
    spdlog::info("job waited for too long job={}", id);
  }
  return absl::OkStatus();
}

}  // namespace quantry::server
