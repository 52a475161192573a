#include "server/core/lease_table.h"

#include <utility>

namespace quantry::server {

void LeaseTable::Grant(Entry entry, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  std::string id = entry.job_id;
  leases_.insert_or_assign(std::move(id), Held{std::move(entry), now + lease_duration_});
}

bool LeaseTable::Renew(absl::string_view job_id, int64_t epoch, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  const auto found = leases_.find(job_id);
  if (found == leases_.end()) return false;
  Held& held = found->second;
  if (held.entry.epoch != epoch || held.deadline <= now) return false;
  held.deadline = now + lease_duration_;
  return true;
}

bool LeaseTable::IsLive(absl::string_view job_id, int64_t epoch, absl::Duration now) const {
  absl::MutexLock lock(&mutex_);
  const auto found = leases_.find(job_id);
  return found != leases_.end() && found->second.entry.epoch == epoch &&
         found->second.deadline > now;
}

void LeaseTable::Release(absl::string_view job_id, int64_t epoch) {
  absl::MutexLock lock(&mutex_);
  const auto found = leases_.find(job_id);
  if (found != leases_.end() && found->second.entry.epoch == epoch) leases_.erase(found);
}

std::vector<LeaseTable::Entry> LeaseTable::Expired(absl::Duration now) const {
  absl::MutexLock lock(&mutex_);
  std::vector<Entry> expired;
  for (const auto& [id, held] : leases_) {
    if (held.deadline <= now) expired.push_back(held.entry);
  }
  return expired;
}

std::vector<LeaseTable::Entry> LeaseTable::OverRunLimit(absl::Duration now) const {
  absl::MutexLock lock(&mutex_);
  std::vector<Entry> over;
  for (const auto& [id, held] : leases_) {
    if (held.deadline > now && held.entry.run_limit <= now) over.push_back(held.entry);
  }
  return over;
}

std::optional<LeaseTable::Entry> LeaseTable::HeldBy(absl::string_view worker_id,
                                                    absl::string_view device) const {
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, held] : leases_) {
    if (held.entry.worker_id != worker_id) continue;
    if (device.empty() || held.entry.device == device) return held.entry;
  }
  return std::nullopt;
}

}  // namespace quantry::server
