#ifndef QUANTRY_CLIENT_TRANSFER_BACKOFF_H_
#define QUANTRY_CLIENT_TRANSFER_BACKOFF_H_

#include <functional>

#include "absl/random/random.h"
#include "absl/time/time.h"

namespace quantry::client {

struct RetryOptions {
  absl::Duration initial_delay = absl::Milliseconds(200);  // before the first repeat; > 0
  absl::Duration max_delay = absl::Seconds(10);            // >= initial_delay
  double multiplier = 2.0;                                 // delay's growth per repeat; >= 1
  // Give up after this long without progress. > 0; absl::InfiniteDuration(): never.
  absl::Duration give_up_after = absl::Minutes(2);
};

// Delays between repeats: exponential with full jitter over the upper half, so that many callers
// of a server that came back don't come at once. Not thread-safe.
class Backoff {
 public:
  explicit Backoff(const RetryOptions& options);

  // How long to wait before the next try; use once per failed try.
  absl::Duration Next();

  // After progress: start again at the initial delay, with all of give_up_after left.
  void Reset();

  // Whether give_up_after has passed since construction or the last Reset().
  bool Expired() const;

 private:
  RetryOptions options_;
  absl::Duration delay_;
  absl::Duration last_progress_;  // monotonic
  absl::BitGen random_;
};

// Sleeps for `delay`, looking at `cancelled` (may be null) every 50 ms. False: it was cancelled.
bool SleepUnlessCancelled(absl::Duration delay, const std::function<bool()>& cancelled);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_TRANSFER_BACKOFF_H_
