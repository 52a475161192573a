#ifndef QUANTRY_TESTS_WORKER_AGENT_FAKE_SERVER_H_
#define QUANTRY_TESTS_WORKER_AGENT_FAKE_SERVER_H_

#include <grpcpp/server.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "quantry/v1/worker_service.grpc.pb.h"
#include "tests/client/transfer/fake_blob_service.h"

namespace quantry::agent {

// A server for one worker's tests: gives out what it is told to, records what it gets. Everything
// stored must wait for a test's word or be read under the lock: thread-safe.
class FakeServer final : public v1::WorkerService::Service {
 public:
  explicit FakeServer(absl::Duration lease_duration = absl::Seconds(60));
  ~FakeServer() override;

  const std::string& address() const { return address_; }
  client::FakeBlobService& blobs() { return blobs_; }

  // Queues a job with this display_name; returns its lease.
  v1::Lease Submit(const std::string& display_name, const std::string& model_blob = "",
                   const std::string& checkpoint_blob = "");

  // What FinishAttempt is called with, waiting for it; nothing if a minute is not enough.
  std::optional<v1::FinishAttemptRequest> WaitForFinish();
  // Waits until `condition` holds for the events that have come. False: a minute was not enough.
  bool WaitForEvents(const std::function<bool(const std::vector<v1::TrainerEvent>&)>& condition);
  // Waits for the worker to have called RegisterWorker `times` times.
  bool WaitForRegistrations(int times);

  std::vector<v1::TrainerEvent> events();
  v1::RegisterWorkerRequest registration();
  int finishes();

  void RequestYield();
  void RequestCancel();
  void ForgetWorker();
  // Heartbeats with a lease, events and ends of attempts answer STALE_LEASE / UNAVAILABLE.
  void TakeLeaseAway();
  void SetAway(bool away);
  // The next `times` answers to ReportEvents and FinishAttempt are lost after they were acted on.
  void LoseAnswers(int times);

  grpc::Status RegisterWorker(grpc::ServerContext*, const v1::RegisterWorkerRequest* request,
                              v1::RegisterWorkerResponse* response) override;
  grpc::Status AcquireLease(grpc::ServerContext* context, const v1::AcquireLeaseRequest* request,
                            v1::AcquireLeaseResponse* response) override;
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override;
  grpc::Status ReportEvents(grpc::ServerContext*, const v1::ReportEventsRequest* request,
                            v1::ReportEventsResponse* response) override;
  grpc::Status FinishAttempt(grpc::ServerContext*, const v1::FinishAttemptRequest* request,
                             v1::FinishAttemptResponse* response) override;

 private:
  grpc::Status CheckWorker(bool needs_lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  grpc::Status MaybeLoseAnswer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const absl::Duration lease_duration_;
  client::FakeBlobService blobs_;
  std::string address_;
  absl::Mutex mutex_;
  std::deque<v1::AcquireLeaseResponse> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::TrainerEvent> events_ ABSL_GUARDED_BY(mutex_);
  int64_t next_number_ ABSL_GUARDED_BY(mutex_) = 1;
  std::deque<v1::FinishAttemptRequest> finished_ ABSL_GUARDED_BY(mutex_);
  v1::RegisterWorkerRequest registration_ ABSL_GUARDED_BY(mutex_);
  int submitted_ ABSL_GUARDED_BY(mutex_) = 0;
  int registrations_ ABSL_GUARDED_BY(mutex_) = 0;
  int finishes_ ABSL_GUARDED_BY(mutex_) = 0;
  int lost_answers_ ABSL_GUARDED_BY(mutex_) = 0;
  bool known_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancel_ ABSL_GUARDED_BY(mutex_) = false;
  bool yield_ ABSL_GUARDED_BY(mutex_) = false;
  bool stale_ ABSL_GUARDED_BY(mutex_) = false;
  bool away_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace quantry::agent

#endif  // QUANTRY_TESTS_WORKER_AGENT_FAKE_SERVER_H_
