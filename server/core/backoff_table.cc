#include "server/core/backoff_table.h"

#include "server/core/retry_policy.h"

namespace quantry::server {
namespace {

// Longer than any job that is still queued then would have been waiting for its back-off.
constexpr absl::Duration kForgetAfter = absl::Hours(1);

}  // namespace

absl::Duration BackoffTable::NotBefore(const std::string& job_id, int64_t epoch, int32_t failures,
                                       absl::Duration now) {
  if (failures == 0) return absl::ZeroDuration();
  absl::MutexLock lock(&mutex_);
  Wait& wait = waits_[job_id];
  if (wait.epoch != epoch) wait = {.epoch = epoch, .until = now + RetryDelay(failures)};
  return wait.until;
}

void BackoffTable::Forget(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  waits_.erase(job_id);
}

void BackoffTable::Prune(absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(waits_, [&](const auto& entry) { return entry.second.until + kForgetAfter < now; });
}

}  // namespace quantry::server
