#ifndef QUANTRY_SERVER_CORE_JOB_ID_H_
#define QUANTRY_SERVER_CORE_JOB_ID_H_

#include <cstdint>
#include <random>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace quantry::server {

inline constexpr int kJobIdLength = 20;

// Makes job ids: 11 base-36 digits of microseconds since 1970, then 9 random ones. Ids of one
// generator grow strictly, also when the wall clock goes back, so that their order is the order of
// creation. Thread-safe.
class JobIdGenerator {
 public:
  explicit JobIdGenerator(uint64_t seed) : random_(seed) {}

  std::string Next(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  int64_t last_microseconds_ ABSL_GUARDED_BY(mutex_) = 0;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
};

// "jobs/ID" of an id.
std::string JobName(absl::string_view id);

// The id in "jobs/ID"; INVALID_ARGUMENT, naming `field`, if it is not of that form.
absl::StatusOr<std::string> ParseJobName(absl::string_view name, absl::string_view field);

// "workers/ID" of a worker's id.
std::string WorkerName(absl::string_view id);

// Whether `id` is of the form [a-z0-9-]{1,63}.
bool IsWorkerId(absl::string_view id);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_JOB_ID_H_
