#ifndef QUANTRY_COMMON_CLOCK_H_
#define QUANTRY_COMMON_CLOCK_H_

#include "absl/time/time.h"

namespace quantry {

// Time, handed in wherever code needs it, so that tests can move it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time: for people and records. May jump.
  virtual absl::Time Now() const = 0;

  // Time since an arbitrary start that never goes back and does not follow wall-clock changes: for
  // leases, time-outs and durations.
  virtual absl::Duration Monotonic() const = 0;
};

// The system's clock; lives as long as the program.
const Clock& SystemClock();

}  // namespace quantry

#endif  // QUANTRY_COMMON_CLOCK_H_
