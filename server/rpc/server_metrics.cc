#include "server/rpc/server_metrics.h"

#include <prometheus/gauge.h>

#include <algorithm>

#include "server/core/job_record.h"
#include "server/rpc/worker_requests.h"

namespace quantry::server {
namespace {

using prometheus::Histogram;

// Seconds. Calls take from a fraction of a millisecond (reads) to a minute (long polls).
const Histogram::BucketBoundaries kRpcBuckets = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                 0.1,    0.25,  0.5,    1,     5,    30,    60};
// Seconds. Waiting in the queue and running take from seconds to days.
const Histogram::BucketBoundaries kJobBuckets = {0.1, 0.5,  1,    5,     15,    60,
                                                 300, 1800, 7200, 21600, 86400, 604800};

prometheus::Family<prometheus::Counter>& NewCounters(prometheus::Registry& registry,
                                                     const std::string& name,
                                                     const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Family<Histogram>& NewHistograms(prometheus::Registry& registry,
                                             const std::string& name, const std::string& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

prometheus::Counter& Bytes(prometheus::Registry& registry, const std::string& direction) {
  return NewCounters(registry, "quantry_blob_bytes_total",
                     "Bytes of blobs that clients and workers sent (in) and fetched (out).")
      .Add({{"direction", direction}});
}

}  // namespace

ServerMetrics::ServerMetrics()
    : registry_(
          std::make_shared<prometheus::Registry>(prometheus::Registry::InsertBehavior::Merge)),
      rpc_requests_(NewCounters(*registry_, "quantry_rpc_requests_total", "Finished calls.")),
      rpc_errors_(
          NewCounters(*registry_, "quantry_rpc_errors_total", "Calls that did not end OK.")),
      rpc_durations_(
          NewHistograms(*registry_, "quantry_rpc_duration_seconds", "How long calls took.")),
      run_times_(NewHistograms(*registry_, "quantry_job_run_time_seconds",
                               "From a job's first RUNNING to its end.")),
      attempts_(NewCounters(*registry_, "quantry_attempts_total", "Ended attempts by cause.")),
      queue_wait_(NewHistograms(*registry_, "quantry_job_queue_wait_seconds",
                                "From entering the queue to a lease.")
                      .Add({}, kJobBuckets)),
      lease_expirations_(NewCounters(*registry_, "quantry_lease_expirations_total",
                                     "Leases that ran out because their worker was silent.")
                             .Add({})),
      stale_writes_(NewCounters(*registry_, "quantry_stale_writes_rejected_total",
                                "Worker calls refused because their lease was over.")
                        .Add({})),
      bytes_in_(Bytes(*registry_, "in")),
      bytes_out_(Bytes(*registry_, "out")) {
  prometheus::BuildGauge()
      .Name("quantry_build_info")
      .Help("Always 1; the labels say what runs.")
      .Register(*registry_)
      .Add({{"program", "quantry-server"}, {"version", QUANTRY_VERSION}})
      .Set(1);
}

void ServerMetrics::RecordRpc(const std::string& method, const std::string& code,
                              absl::Duration duration) {
  rpc_requests_.Add({{"method", method}}).Increment();
  if (code != "OK") rpc_errors_.Add({{"method", method}, {"code", code}}).Increment();
  rpc_durations_.Add({{"method", method}}, kRpcBuckets).Observe(absl::ToDoubleSeconds(duration));
}

void ServerMetrics::RecordQueueWait(absl::Duration wait) {
  queue_wait_.Observe(absl::ToDoubleSeconds(wait));
}

void ServerMetrics::RecordJobEnd(const v1::Job& job) {
  const absl::Duration run_time = job.has_start_time()
                                      ? FromProto(job.end_time()) - FromProto(job.start_time())
                                      : absl::ZeroDuration();
  run_times_.Add({{"state", StateLabel(job.state())}}, kJobBuckets)
      .Observe(std::max(0.0, absl::ToDoubleSeconds(run_time)));
}

void ServerMetrics::RecordAttempt(const std::string& cause) {
  attempts_.Add({{"cause", cause}}).Increment();
}

}  // namespace quantry::server
