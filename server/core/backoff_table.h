#ifndef QUANTRY_SERVER_CORE_BACKOFF_TABLE_H_
#define QUANTRY_SERVER_CORE_BACKOFF_TABLE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace quantry::server {

// Until when jobs wait after failed attempts, on this server's monotonic time: the wait begins when
// the server first hears of it, so that neither wall clocks nor restarts can stretch it by more
// than itself. Thread-safe.
class BackoffTable {
 public:
  // When the job may run, after `failures` failed attempts, the last under lease `epoch`; zero for
  // no failures.
  absl::Duration NotBefore(const std::string& job_id, int64_t epoch, int32_t failures,
                           absl::Duration now) ABSL_LOCKS_EXCLUDED(mutex_);

  void Forget(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets waits that ended long before `now`.
  void Prune(absl::Duration now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Wait {
    int64_t epoch = 0;
    absl::Duration until;
  };

  absl::Mutex mutex_;
  std::map<std::string, Wait> waits_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_BACKOFF_TABLE_H_
