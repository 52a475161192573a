#ifndef QUANTRY_SERVER_CORE_RATE_LIMITER_H_
#define QUANTRY_SERVER_CORE_RATE_LIMITER_H_

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace quantry::server {

// Token buckets, one for each key: `rate` units a second on the long run, `burst` at once. An
// amount larger than `burst` passes when the bucket is full and is paid off afterwards, so that
// nothing is refused for ever. Thread-safe.
class RateLimiter {
 public:
  // `rate` 0: no limit.
  RateLimiter(double rate, double burst) : rate_(rate), burst_(burst) {}

  // Takes `amount` and returns zero, or takes nothing and returns how long to wait, on monotonic
  // time.
  absl::Duration Take(absl::string_view key, double amount, absl::Duration now)
      ABSL_LOCKS_EXCLUDED(mutex_);

  double rate() const { return rate_; }

 private:
  struct Bucket {
    double level;
    absl::Duration filled;
  };

  const double rate_;
  const double burst_;
  absl::Mutex mutex_;
  std::map<std::string, Bucket, std::less<>> buckets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_RATE_LIMITER_H_
