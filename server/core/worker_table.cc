#include "server/core/worker_table.h"

#include <utility>

namespace quantry::server {

void WorkerTable::Register(v1::RegisterWorkerRequest registration,
                           std::optional<absl::Duration> heard) {
  absl::MutexLock lock(&mutex_);
  std::string id = registration.worker_id();
  workers_.insert_or_assign(std::move(id), Known{std::move(registration), heard});
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
  }
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
    all.push_back({known.registration, IsAlive(known, now)});
  }
  return all;
}

std::vector<WorkerView> WorkerTable::Alive(absl::Duration now) const {
  absl::MutexLock lock(&mutex_);
  std::vector<WorkerView> alive;
  for (const auto& [id, known] : workers_) {
    if (!IsAlive(known, now)) continue;
    WorkerView view{.id = id};
    for (const v1::Device& device : known.registration.devices()) {
      view.device_kinds.push_back(device.kind());
    }
    alive.push_back(std::move(view));
  }
  return alive;
}

bool WorkerTable::IsAlive(const Known& known, absl::Duration now) const {
  return known.heard.has_value() && now - *known.heard <= alive_for_;
}

}  // namespace quantry::server
