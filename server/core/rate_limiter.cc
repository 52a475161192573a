#include "server/core/rate_limiter.h"

#include <algorithm>

namespace quantry::server {

absl::Duration RateLimiter::Take(absl::string_view key, double amount, absl::Duration now) {
  if (rate_ <= 0) return absl::ZeroDuration();
  absl::MutexLock lock(&mutex_);
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    found = buckets_.emplace(std::string(key), Bucket{burst_, now}).first;
  }
  Bucket& bucket = found->second;
  bucket.level =
      std::min(burst_, bucket.level + rate_ * absl::ToDoubleSeconds(now - bucket.filled));
  bucket.filled = now;
  const double needed = std::min(amount, burst_);
  if (bucket.level < needed) return absl::Seconds((needed - bucket.level) / rate_);
  bucket.level -= amount;
  return absl::ZeroDuration();
}

}  // namespace quantry::server
