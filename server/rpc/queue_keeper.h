#ifndef QUANTRY_SERVER_RPC_QUEUE_KEEPER_H_
#define QUANTRY_SERVER_RPC_QUEUE_KEEPER_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/rpc/control_state.h"
#include "server/store/quota_store.h"

namespace quantry::server {

// What the server does about waiting jobs from time to time: reads the quotas, asks running jobs to
// make room for more urgent ones, ends jobs that have waited for too long. One thread.
class QueueKeeper {
 public:
  // The references must outlive this.
  QueueKeeper(ControlState& state, QuotaStore& quotas) : state_(state), quotas_(quotas) {}

  // Call about every second.
  void Run();

 private:
  absl::Status ReadQuotas();
  absl::Status MakeRoom();
  // The devices of workers that are alive, without those that are being drained or hold a lease.
  std::vector<DeviceView> FreeDevices(const std::vector<LeaseTable::Entry>& leases,
                                      absl::Duration now) const;
  std::vector<RunningJob> Running(const std::vector<LeaseTable::Entry>& leases) const;

  absl::Status ExpireQueued();
  // When the job's wait ends, on this server's monotonic clock.
  absl::StatusOr<absl::Duration> Deadline(const std::string& job_id);

  ControlState& state_;
  QuotaStore& quotas_;
  std::map<std::string, absl::Duration> deadlines_;  // of queued jobs, by id
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_QUEUE_KEEPER_H_
