#ifndef QUANTRY_SERVER_RPC_CONTROL_STATE_H_
#define QUANTRY_SERVER_RPC_CONTROL_STATE_H_

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "server/core/lease_table.h"
#include "server/core/scheduling.h"
#include "server/core/worker_table.h"
#include "server/rpc/notifier.h"
#include "server/rpc/server_metrics.h"
#include "server/store/blob_store.h"
#include "server/store/job_store.h"

namespace quantry::server {

// The topic on which workers wait for jobs; a job's own topic is its id.
inline constexpr char kQueueTopic[] = "queue";

// What the controllers and services share. Thread-safe, as each of its parts is.
class ControlState {
 public:
  // The references must outlive this.
  ControlState(JobStore& job_store, BlobStore& blob_store, const Clock& the_clock,
               absl::Duration lease_duration)
      : jobs(job_store),
        blobs(blob_store),
        clock(the_clock),
        leases(lease_duration),
        workers(lease_duration) {}

  // A job waits until this monotonic time before its next attempt.
  void SetNotBefore(const std::string& job_id, absl::Duration time) {
    absl::MutexLock lock(&mutex_);
    not_before_[job_id] = time;
  }
  void ClearNotBefore(const std::string& job_id) {
    absl::MutexLock lock(&mutex_);
    not_before_.erase(job_id);
  }
  // Zero if there is nothing to wait for.
  absl::Duration NotBefore(const std::string& job_id) const {
    absl::MutexLock lock(&mutex_);
    const auto found = not_before_.find(job_id);
    return found == not_before_.end() ? absl::ZeroDuration() : found->second;
  }

  JobStore& jobs;
  BlobStore& blobs;
  const Clock& clock;
  LeaseTable leases;
  WorkerTable workers;
  Notifier notifier;
  ServerMetrics metrics;

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, absl::Duration> not_before_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_CONTROL_STATE_H_
