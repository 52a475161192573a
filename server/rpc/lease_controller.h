#ifndef QUANTRY_SERVER_RPC_LEASE_CONTROLLER_H_
#define QUANTRY_SERVER_RPC_LEASE_CONTROLLER_H_

#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "quantry/v1/worker_service.pb.h"
#include "server/rpc/control_state.h"
#include "server/rpc/device_turns.h"

namespace quantry::server {

// What workers ask for, between the gRPC service and the store, and the end of leases that nobody
// renews. Every write is fenced by (job, attempt, epoch) inside its transaction. Errors are those
// that worker_service.proto names; NOT_FOUND with reason WORKER_NOT_FOUND asks a worker to
// register. Thread-safe.
class LeaseController {
 public:
  // `state` must outlive this.
  explicit LeaseController(ControlState& state) : state_(state) {}

  // Reads workers and held leases from the store; each lease gets a full duration. Call once,
  // first.
  absl::Status Load();

  absl::StatusOr<v1::RegisterWorkerResponse> RegisterWorker(
      const v1::RegisterWorkerRequest& request);

  // Waits up to request.wait for a job; an answer without a lease also when `is_cancelled` says
  // true or the server shuts down. A worker whose device holds a lease already gets it again while
  // it is LEASED (its answer was lost); if it was RUNNING, the worker has restarted: that attempt
  // is over. ABORTED with reason NEWER_CALL once there is a newer call for the device: its worker
  // has given this one up.
  absl::StatusOr<v1::AcquireLeaseResponse> AcquireLease(const v1::AcquireLeaseRequest& request,
                                                        absl::FunctionRef<bool()> is_cancelled);
  absl::StatusOr<v1::HeartbeatResponse> Heartbeat(const v1::HeartbeatRequest& request);
  absl::StatusOr<v1::ReportEventsResponse> ReportEvents(const v1::ReportEventsRequest& request);
  absl::StatusOr<v1::FinishAttemptResponse> FinishAttempt(const v1::FinishAttemptRequest& request);

  // Ends the attempts whose lease has run out or whose job has reached its run_deadline. Call
  // often.
  void Sweep();

 private:
  using OptionalLease = absl::StatusOr<std::optional<v1::AcquireLeaseResponse>>;

  absl::Status Touch(const std::string& worker_id);
  // Takes note of the workers and leases in the store, which other servers may have changed.
  absl::Status Observe();
  // Looks for a lease that another server may have given, before a call under it is judged.
  absl::Status LookFor(const std::string& job_id, const v1::Lease& lease);
  // Runs `body` while no other call acts for the device; ABORTED if `call` is not the newest.
  OptionalLease InTurn(DeviceTurns::Call& call, absl::FunctionRef<OptionalLease()> body);
  // The next job that fits, if there is one. The device must hold no lease.
  OptionalLease TryAcquire(const std::string& worker_id, const v1::Device& device);
  // The lease that this device holds in the server's eyes, given again; nothing if there is none.
  // Only right when a call begins: while one waits, nothing else gives the device a lease.
  OptionalLease RedeliverLease(const std::string& worker_id, const std::string& device_id);
  // Reserves the job that the policy chooses, so that two workers don't choose the same.
  absl::StatusOr<std::optional<std::string>> ClaimJob(const std::string& worker_id,
                                                      const v1::Device& given)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status LoseLease(const LeaseTable::Entry& entry, const v1::Failure& failure);
  // Begins the wait of a job that was just queued again after a failure. Runs before that is
  // stored, so that no worker can take the job in between.
  void BackOff(const JobRecord& record);
  // Lease table, metrics and wake-ups after an attempt has ended.
  void AfterAttempt(const JobRecord& record, int64_t epoch, const std::string& cause);
  void StartLease(const JobRecord& record);

  ControlState& state_;
  DeviceTurns turns_;
  absl::Mutex mutex_;
  std::set<std::string> claims_ ABSL_GUARDED_BY(mutex_);  // ids of jobs about to be leased
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_LEASE_CONTROLLER_H_
