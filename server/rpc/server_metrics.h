#ifndef QUANTRY_SERVER_RPC_SERVER_METRICS_H_
#define QUANTRY_SERVER_RPC_SERVER_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "quantry/v1/job.pb.h"

namespace quantry::server {

// The server's Prometheus metrics, all with prefix quantry_. No label carries a job's or a worker's
// id. Thread-safe.
class ServerMetrics {
 public:
  ServerMetrics();

  // One finished call. `method`: "JobService/CreateJob"; `code`: "OK", "NOT_FOUND", ...
  void RecordRpc(const std::string& method, const std::string& code, absl::Duration duration);

  void RecordQueueWait(absl::Duration wait);
  // `job` has just reached a terminal state.
  void RecordJobEnd(const v1::Job& job);
  // An attempt ended: "succeeded", "cancelled", "user", "infrastructure", "preempted", "quota".
  void RecordAttempt(const std::string& cause);
  void RecordLeaseExpired() { lease_expirations_.Increment(); }
  void RecordStaleWrite() { stale_writes_.Increment(); }
  void RecordBytesIn(int64_t count) { bytes_in_.Increment(static_cast<double>(count)); }
  void RecordBytesOut(int64_t count) { bytes_out_.Increment(static_cast<double>(count)); }

  std::shared_ptr<prometheus::Registry> registry() const { return registry_; }

 private:
  using Counters = prometheus::Family<prometheus::Counter>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  const std::shared_ptr<prometheus::Registry> registry_;
  Counters& rpc_requests_;
  Counters& rpc_errors_;
  Histograms& rpc_durations_;
  Histograms& run_times_;
  Counters& attempts_;
  prometheus::Histogram& queue_wait_;
  prometheus::Counter& lease_expirations_;
  prometheus::Counter& stale_writes_;
  prometheus::Counter& bytes_in_;
  prometheus::Counter& bytes_out_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_SERVER_METRICS_H_
