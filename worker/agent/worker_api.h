#ifndef QUANTRY_WORKER_AGENT_WORKER_API_H_
#define QUANTRY_WORKER_AGENT_WORKER_API_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "quantry/v1/worker_service.grpc.pb.h"

namespace quantry::agent {

// One try of each call of WorkerService, as this worker, each with a deadline. Errors carry
// google.rpc details as payloads (client/transfer/grpc_status.h). Thread-safe; calls block.
class WorkerApi {
 public:
  WorkerApi(std::shared_ptr<grpc::Channel> channel, std::string worker_id)
      : channel_(std::move(channel)),
        stub_(v1::WorkerService::NewStub(channel_)),
        worker_id_(std::move(worker_id)) {}

  // `request` without a worker_id.
  absl::StatusOr<v1::RegisterWorkerResponse> Register(v1::RegisterWorkerRequest request);

  // Waits for a job at the server. CANCELLED once StopAcquiring was called.
  absl::StatusOr<v1::AcquireLeaseResponse> Acquire(const std::string& device, absl::Duration wait)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends waiting calls of Acquire and refuses new ones.
  void StopAcquiring() ABSL_LOCKS_EXCLUDED(mutex_);

  // Without a lease: a sign of life of an idle worker.
  absl::StatusOr<v1::HeartbeatResponse> Heartbeat(const std::optional<v1::Lease>& lease,
                                                  absl::Duration timeout);

  // `request` without a worker_id.
  absl::StatusOr<v1::ReportEventsResponse> ReportEvents(v1::ReportEventsRequest& request);
  absl::StatusOr<v1::FinishAttemptResponse> Finish(v1::FinishAttemptRequest& request);

  // Waits before a failed call is repeated; see client/transfer/channel.h.
  bool WaitForRetry(absl::Duration delay, const std::function<bool()>& cancelled);

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::WorkerService::StubInterface> stub_;
  const std::string worker_id_;
  absl::Mutex mutex_;
  bool acquiring_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> waiting_ ABSL_GUARDED_BY(mutex_);
};

// Whether `error` means that this worker does not hold the lease any more.
bool IsLeaseGone(const absl::Status& error);

// Whether `error` means that the server does not know this worker.
bool IsWorkerUnknown(const absl::Status& error);

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_WORKER_API_H_
