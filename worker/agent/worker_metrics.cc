#include "worker/agent/worker_metrics.h"

#include "absl/time/clock.h"

namespace quantry::agent {
namespace {

using prometheus::Histogram;

const char* Label(AttemptOutcome outcome) {
  switch (outcome) {
    case AttemptOutcome::kSucceeded:
      return "succeeded";
    case AttemptOutcome::kFailedUser:
      return "failed_user";
    case AttemptOutcome::kFailedInfrastructure:
      return "failed_infrastructure";
    case AttemptOutcome::kPreempted:
      return "preempted";
    case AttemptOutcome::kCancelled:
      return "cancelled";
    case AttemptOutcome::kLeaseLost:
      return "lease_lost";
  }
  return "unknown";
}

prometheus::Gauge* Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return &prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Counter* Counter(prometheus::Registry& registry, const char* name, const char* help,
                             const prometheus::Labels& labels = {}) {
  return &prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}

Histogram* Seconds(prometheus::Registry& registry, const char* name, const char* help,
                   const Histogram::BucketBoundaries& buckets) {
  return &prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

}  // namespace

WorkerMetrics::WorkerMetrics(prometheus::Registry& registry)
    : slots_(Gauge(registry, "quantry_worker_slots", "Devices that take jobs.")),
      slots_busy_(Gauge(registry, "quantry_worker_slots_busy", "Devices with a job.")),
      attempts_(&prometheus::BuildCounter()
                     .Name("quantry_worker_attempts_total")
                     .Help("Attempts that ended, by outcome.")
                     .Register(registry)),
      attempt_seconds_(Seconds(registry, "quantry_worker_attempt_seconds",
                               "Time from lease to end of an attempt.",
                               {1, 5, 15, 60, 300, 900, 3600, 14400, 86400})),
      lease_lost_(Counter(registry, "quantry_worker_leases_lost_total",
                          "Leases that ran out or were taken away during an attempt.")),
      heartbeat_failures_(
          Counter(registry, "quantry_worker_heartbeat_failures_total", "Heartbeats that failed.")),
      bytes_received_(Counter(registry, "quantry_worker_transfer_bytes_total",
                              "Blob bytes moved from and to the server.",
                              {{"direction", "received"}})),
      bytes_sent_(Counter(registry, "quantry_worker_transfer_bytes_total",
                          "Blob bytes moved from and to the server.", {{"direction", "sent"}})),
      cache_hits_(Counter(registry, "quantry_worker_cache_lookups_total",
                          "Model files looked up in the cache.", {{"result", "hit"}})),
      cache_misses_(Counter(registry, "quantry_worker_cache_lookups_total",
                            "Model files looked up in the cache.", {{"result", "miss"}})),
      events_dropped_(Counter(registry, "quantry_worker_events_dropped_total",
                              "Events that never reached the server.")),
      steps_(Counter(registry, "quantry_worker_trainer_steps_total", "Training steps done.")),
      images_(Counter(registry, "quantry_worker_trainer_images_total",
                      "Pictures trained on (steps times batch size).")),
      data_wait_share_(&prometheus::BuildGauge()
                            .Name("quantry_worker_data_wait_share")
                            .Help("Share of the time in which training last waited for data.")
                            .Register(registry)),
      reader_rate_(&prometheus::BuildGauge()
                        .Name("quantry_worker_reader_images_per_second")
                        .Help("Examples per second that reading could last deliver.")
                        .Register(registry)),
      checkpoint_write_seconds_(Seconds(registry, "quantry_worker_checkpoint_write_seconds",
                                        "Time to write a checkpoint.",
                                        {0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60})),
      checkpoint_upload_seconds_(Seconds(registry, "quantry_worker_checkpoint_upload_seconds",
                                         "Time to bring a checkpoint to the server.",
                                         {0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300})),
      checkpoint_time_(&prometheus::BuildGauge()
                            .Name("quantry_worker_last_checkpoint_timestamp_seconds")
                            .Help("When a checkpoint last became safe at the server, by device.")
                            .Register(registry)) {
  prometheus::BuildGauge()
      .Name("quantry_worker_build_info")
      .Help("Always 1; the version is a label.")
      .Register(registry)
      .Add({{"version", QUANTRY_VERSION}})
      .Set(1);
}

void WorkerMetrics::CountAttempt(AttemptOutcome outcome, absl::Duration run_time) {
  attempts_->Add({{"outcome", Label(outcome)}}).Increment();
  attempt_seconds_->Observe(absl::ToDoubleSeconds(run_time));
  if (outcome == AttemptOutcome::kLeaseLost) lease_lost_->Increment();
}

void WorkerMetrics::CountBytes(Direction direction, int64_t bytes) {
  (direction == Direction::kSent ? bytes_sent_ : bytes_received_)
      ->Increment(static_cast<double>(bytes));
}

void WorkerMetrics::CountSteps(int64_t steps, int64_t images) {
  steps_->Increment(static_cast<double>(steps));
  images_->Increment(static_cast<double>(images));
}

void WorkerMetrics::SetReader(const std::string& device, double wait_share,
                              double examples_per_second) {
  data_wait_share_->Add({{"device", device}}).Set(wait_share);
  if (examples_per_second > 0) reader_rate_->Add({{"device", device}}).Set(examples_per_second);
}

void WorkerMetrics::RecordCheckpoint(const std::string& device, double write_seconds,
                                     absl::Duration upload) {
  checkpoint_write_seconds_->Observe(write_seconds);
  checkpoint_upload_seconds_->Observe(absl::ToDoubleSeconds(upload));
  checkpoint_time_->Add({{"device", device}})
      .Set(absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
}

}  // namespace quantry::agent
