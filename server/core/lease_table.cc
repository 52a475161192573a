#include "server/core/lease_table.h"

#include <algorithm>
#include <set>
#include <utility>

namespace quantry::server {

void LeaseTable::Grant(Entry entry, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  std::string id = entry.job_id;
  entry.granted = now;
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

std::vector<StoredLease> LeaseTable::Observe(const std::vector<StoredLease>& stored,
                                             absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  std::vector<StoredLease> unknown;
  std::set<absl::string_view> ids;
  for (const StoredLease& lease : stored) {
    ids.insert(lease.job_id);
    const auto found = leases_.find(lease.job_id);
    if (found == leases_.end() || found->second.entry.epoch < lease.epoch) {
      unknown.push_back(lease);
      continue;
    }
    Held& held = found->second;
    if (held.entry.epoch != lease.epoch) continue;  // read before that was granted
    if (held.beat.has_value() && *held.beat != lease.beat) {
      held.deadline = std::max(held.deadline, now + lease_duration_);
    }
    held.beat = lease.beat;
  }
  std::erase_if(leases_, [&](const auto& entry) {
    return entry.second.entry.granted < now && !ids.contains(entry.first);
  });
  return unknown;
}

int64_t LeaseTable::Beat(absl::string_view job_id, int64_t epoch) const {
  absl::MutexLock lock(&mutex_);
  const auto found = leases_.find(job_id);
  if (found == leases_.end() || found->second.entry.epoch != epoch) return 0;
  return found->second.beat.value_or(0);
}

bool LeaseTable::Knows(absl::string_view job_id, int64_t epoch) const {
  absl::MutexLock lock(&mutex_);
  const auto found = leases_.find(job_id);
  return found != leases_.end() && found->second.entry.epoch == epoch;
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

std::vector<LeaseTable::Entry> LeaseTable::All() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Entry> all;
  for (const auto& [id, held] : leases_) all.push_back(held.entry);
  return all;
}

void LeaseTable::SetYielding(absl::string_view job_id, int64_t epoch) {
  absl::MutexLock lock(&mutex_);
  const auto found = leases_.find(job_id);
  if (found != leases_.end() && found->second.entry.epoch == epoch) {
    found->second.entry.yielding = true;
  }
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
