#ifndef QUANTRY_SERVER_RPC_JOBS_COLLECTOR_H_
#define QUANTRY_SERVER_RPC_JOBS_COLLECTOR_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "server/store/job_store.h"

namespace quantry::server {

// The gauge quantry_jobs{state}, counted in the store when Prometheus asks. Thread-safe.
class JobsCollector final : public prometheus::Collectable {
 public:
  // `store` must outlive the collector.
  explicit JobsCollector(JobStore& store) : store_(store) {}

  // Empty when the store can't be read.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  JobStore& store_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_JOBS_COLLECTOR_H_
