#ifndef QUANTRY_SERVER_CORE_RETRY_POLICY_H_
#define QUANTRY_SERVER_CORE_RETRY_POLICY_H_

#include <cstdint>

#include "absl/time/time.h"
#include "quantry/v1/event.pb.h"

namespace quantry::server {

inline constexpr int32_t kDefaultMaxAttempts = 5;

// Whether a job whose attempt number `attempt` (1-based, without those that were preempted, which
// do not count) failed gets another: only after INFRASTRUCTURE, and at most `max_attempts` in all.
bool ShouldRetry(v1::FailureKind kind, int32_t attempt, int32_t max_attempts);

// How long a job waits after its failed attempt number `attempt`: 1, 2, 4, ... seconds, at most 60.
absl::Duration RetryDelay(int32_t attempt);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_RETRY_POLICY_H_
