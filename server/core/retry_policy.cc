#include "server/core/retry_policy.h"

#include <algorithm>

namespace quantry::server {

bool ShouldRetry(v1::FailureKind kind, int32_t attempt, int32_t max_attempts) {
  return kind == v1::FAILURE_KIND_INFRASTRUCTURE && attempt < max_attempts;
}

absl::Duration RetryDelay(int32_t attempt) {
  const int doublings = std::clamp(attempt - 1, 0, 6);
  return std::min(absl::Seconds(1 << doublings), absl::Seconds(60));
}

}  // namespace quantry::server
