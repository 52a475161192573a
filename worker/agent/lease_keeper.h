#ifndef QUANTRY_WORKER_AGENT_LEASE_KEEPER_H_
#define QUANTRY_WORKER_AGENT_LEASE_KEEPER_H_

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "quantry/v1/worker_service.pb.h"
#include "worker/agent/worker_api.h"
#include "worker/agent/worker_metrics.h"

namespace quantry::agent {

// What the server said at registration.
struct LeaseTiming {
  absl::Duration lease_duration = absl::Seconds(30);
  absl::Duration heartbeat_interval = absl::Seconds(10);
};

// Renews one lease on a thread of its own and knows whether it still holds. It is lost when the
// server says so, or when no renewal that was *sent* within the last lease_duration (monotonic) was
// answered: also after this process was stopped for that long. A lost lease stays lost.
// Thread-safe.
class LeaseKeeper {
 public:
  // Begins at once. References must outlive the object.
  LeaseKeeper(v1::Lease lease, LeaseTiming timing, WorkerApi& api, WorkerMetrics& metrics,
              const Clock& clock);
  // Stops renewing; the lease runs out by itself unless the attempt was finished.
  ~LeaseKeeper();

  const v1::Lease& lease() const { return lease_; }

  bool IsLost() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string lost_reason() const ABSL_LOCKS_EXCLUDED(mutex_);  // for people
  // Whether the server wants the attempt to end as cancelled.
  bool IsCancelRequested() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the server wants the job back, to go on later from a checkpoint. May be taken back.
  bool IsYieldRequested() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes note of another call's answer: marks the lease lost if that says so.
  void Observe(const absl::Status& answer) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits on the steady clock, since a jump of the wall clock, which absl's timed waits follow,
  // must not stop the heartbeats. True: no more of them are wanted.
  bool WaitUnlessStopped(absl::Duration timeout);
  // One heartbeat; returns how long to wait for the next.
  absl::Duration Renew() ABSL_LOCKS_EXCLUDED(mutex_);
  void LoseLocked(absl::string_view reason) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const v1::Lease lease_;
  const LeaseTiming timing_;
  WorkerApi& api_;
  WorkerMetrics& metrics_;
  const Clock& clock_;
  std::mutex stop_mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;  // guarded by stop_mutex_
  mutable absl::Mutex mutex_;
  bool cancel_requested_ ABSL_GUARDED_BY(mutex_) = false;
  bool yield_requested_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration renewed_ ABSL_GUARDED_BY(mutex_);  // monotonic
  mutable bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  mutable std::string lost_reason_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_LEASE_KEEPER_H_
