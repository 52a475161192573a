#include "server/rpc/jobs_collector.h"

#include <prometheus/metric_family.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "server/core/job_state.h"

namespace quantry::server {

std::vector<prometheus::MetricFamily> JobsCollector::Collect() const {
  auto counts = store_.CountByState();
  if (!counts.ok()) return {};
  prometheus::MetricFamily family;
  family.name = "quantry_jobs";
  family.help = "Jobs by state.";
  family.type = prometheus::MetricType::Gauge;
  for (int state = v1::JobState_MIN + 1; state <= v1::JobState_MAX; ++state) {
    const auto job_state = static_cast<v1::JobState>(state);
    prometheus::ClientMetric metric;
    metric.label.push_back({"state", absl::AsciiStrToLower(JobStateName(job_state))});
    metric.gauge.value = static_cast<double>((*counts)[job_state]);
    family.metric.push_back(std::move(metric));
  }
  return {family};
}

}  // namespace quantry::server
