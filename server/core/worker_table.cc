#include "server/core/worker_table.h"

#include <utility>

namespace quantry::server {

void WorkerTable::Register(v1::RegisterWorkerRequest registration,
                           std::optional<absl::Duration> heard) {
  absl::MutexLock lock(&mutex_);
  std::string id = registration.worker_id();
  Known& known = workers_[std::move(id)];
  known.registration = std::move(registration);
  known.heard = heard;
}

void WorkerTable::Observe(const std::vector<StoredWorker>& stored, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  for (const StoredWorker& worker : stored) {
    const std::string& id = worker.registration.worker_id();
    const auto [found, added] = workers_.try_emplace(id, Known{worker.registration, std::nullopt});
    Known& known = found->second;
    if (known.beat.has_value() && *known.beat != worker.beat) {
      known.heard = now;
      known.registration = worker.registration;
    }
    known.beat = worker.beat;
    known.draining = worker.draining;
  }
}

bool WorkerTable::SetDraining(absl::string_view worker_id, bool draining) {
  absl::MutexLock lock(&mutex_);
  const auto found = workers_.find(worker_id);
  if (found == workers_.end()) return false;
  found->second.draining = draining;
  return true;
}

bool WorkerTable::IsDraining(absl::string_view worker_id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = workers_.find(worker_id);
  return found != workers_.end() && found->second.draining;
}

bool WorkerTable::IsBeatDue(absl::string_view worker_id, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  const auto found = workers_.find(worker_id);
  if (found == workers_.end()) return false;
  Known& known = found->second;
  if (known.beaten.has_value() && now - *known.beaten < alive_for_ / 4) return false;
  known.beaten = now;
  return true;
}

bool WorkerTable::Touch(absl::string_view worker_id, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  const auto found = workers_.find(worker_id);
  if (found == workers_.end()) return false;
  found->second.heard = now;
  return true;
}

std::optional<v1::Device> WorkerTable::FindDevice(absl::string_view worker_id,
                                                  absl::string_view device_id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = workers_.find(worker_id);
  if (found == workers_.end()) return std::nullopt;
  for (const v1::Device& device : found->second.registration.devices()) {
    if (device.id() == device_id) return device;
  }
  return std::nullopt;
}

std::vector<WorkerTable::Entry> WorkerTable::All(absl::Duration now) const {
  absl::MutexLock lock(&mutex_);
  std::vector<Entry> all;
  for (const auto& [id, known] : workers_) {
    all.push_back({known.registration, IsAlive(known, now), known.draining});
  }
  return all;
}

std::vector<WorkerView> WorkerTable::Alive(absl::Duration now) const {
  absl::MutexLock lock(&mutex_);
  std::vector<WorkerView> alive;
  for (const auto& [id, known] : workers_) {
    if (!IsAlive(known, now)) continue;
    WorkerView view{.id = id, .draining = known.draining};
    for (const v1::Device& device : known.registration.devices()) {
      view.devices.push_back(
          {.id = device.id(), .kind = device.kind(), .memory_bytes = device.memory_bytes()});
    }
    alive.push_back(std::move(view));
  }
  return alive;
}

bool WorkerTable::IsAlive(const Known& known, absl::Duration now) const {
  return known.heard.has_value() && now - *known.heard <= alive_for_;
}

}  // namespace quantry::server
