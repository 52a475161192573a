#include "server/core/worker_table.h"

#include <utility>

namespace quantry::server {

void WorkerTable::Register(v1::RegisterWorkerRequest registration,
                           std::optional<absl::Duration> heard) {
  absl::MutexLock lock(&mutex_);
  std::string id = registration.worker_id();
  workers_.insert_or_assign(std::move(id), Known{std::move(registration), heard});
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
