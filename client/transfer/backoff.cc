#include "client/transfer/backoff.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "common/clock.h"

namespace quantry::client {

Backoff::Backoff(const RetryOptions& options) : options_(options) { Reset(); }

absl::Duration Backoff::Next() {
  const absl::Duration delay = delay_ * absl::Uniform(random_, 0.5, 1.0);
  delay_ = std::min(delay_ * options_.multiplier, options_.max_delay);
  return delay;
}

void Backoff::Reset() {
  delay_ = options_.initial_delay;
  last_progress_ = SystemClock().Monotonic();
}

bool Backoff::Expired() const {
  return SystemClock().Monotonic() - last_progress_ >= options_.give_up_after;
}

bool SleepUnlessCancelled(absl::Duration delay, const std::function<bool()>& cancelled) {
  const absl::Duration end = SystemClock().Monotonic() + delay;
  while (true) {
    if (cancelled && cancelled()) return false;
    const absl::Duration left = end - SystemClock().Monotonic();
    if (left <= absl::ZeroDuration()) return true;
    absl::SleepFor(std::min(left, absl::Milliseconds(50)));
  }
}

}  // namespace quantry::client
