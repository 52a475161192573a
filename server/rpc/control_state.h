#ifndef QUANTRY_SERVER_RPC_CONTROL_STATE_H_
#define QUANTRY_SERVER_RPC_CONTROL_STATE_H_

#include "absl/time/time.h"
#include "common/clock.h"
#include "server/core/backoff_table.h"
#include "server/core/lease_table.h"
#include "server/core/quota_table.h"
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

  JobStore& jobs;
  BlobStore& blobs;
  const Clock& clock;
  LeaseTable leases;
  WorkerTable workers;
  BackoffTable backoff;
  QuotaTable quotas;
  Notifier notifier;
  ServerMetrics metrics;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_CONTROL_STATE_H_
