#ifndef QUANTRY_WORKER_AGENT_WORKER_METRICS_H_
#define QUANTRY_WORKER_AGENT_WORKER_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace quantry::agent {

// How an attempt ended, as its metric's label.
enum class AttemptOutcome {
  kSucceeded,
  kFailedUser,
  kFailedInfrastructure,
  kPreempted,
  kCancelled,
  kLeaseLost,
};

enum class Direction { kReceived, kSent };

// The worker's figures for Prometheus, in a registry that outlives this object. Names begin with
// "quantry_worker_"; no label is a job's. Thread-safe.
class WorkerMetrics {
 public:
  explicit WorkerMetrics(prometheus::Registry& registry);

  void SetSlots(int count) { slots_->Set(count); }
  void AddBusySlot(int change) { slots_busy_->Increment(change); }
  void CountAttempt(AttemptOutcome outcome, absl::Duration run_time);
  void CountHeartbeatFailure() { heartbeat_failures_->Increment(); }
  void CountBytes(Direction direction, int64_t bytes);
  void CountCacheLookup(bool hit) { (hit ? cache_hits_ : cache_misses_)->Increment(); }
  void CountEventsDropped(int64_t count) { events_dropped_->Increment(static_cast<double>(count)); }
  void CountSteps(int64_t steps, int64_t images);
  // How reading training data goes on `device`: share of the time in which training waited for it,
  // and examples per second that the reader could deliver (0: not known).
  void SetReader(const std::string& device, double wait_share, double examples_per_second);
  // A checkpoint was written in `write_seconds` and is stored at the server, after `upload`, now.
  void RecordCheckpoint(const std::string& device, double write_seconds, absl::Duration upload);

 private:
  prometheus::Gauge* slots_;
  prometheus::Gauge* slots_busy_;
  prometheus::Family<prometheus::Counter>* attempts_;
  prometheus::Histogram* attempt_seconds_;
  prometheus::Counter* lease_lost_;
  prometheus::Counter* heartbeat_failures_;
  prometheus::Counter* bytes_received_;
  prometheus::Counter* bytes_sent_;
  prometheus::Counter* cache_hits_;
  prometheus::Counter* cache_misses_;
  prometheus::Counter* events_dropped_;
  prometheus::Counter* steps_;
  prometheus::Counter* images_;
  prometheus::Family<prometheus::Gauge>* data_wait_share_;
  prometheus::Family<prometheus::Gauge>* reader_rate_;
  prometheus::Histogram* checkpoint_write_seconds_;
  prometheus::Histogram* checkpoint_upload_seconds_;
  prometheus::Family<prometheus::Gauge>* checkpoint_time_;
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_WORKER_METRICS_H_
