#ifndef QUANTRY_TESTS_SERVER_RPC_SERVER_FIXTURE_H_
#define QUANTRY_TESTS_SERVER_RPC_SERVER_FIXTURE_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "quantry/v1/blob_service.grpc.pb.h"
#include "quantry/v1/capabilities.grpc.pb.h"
#include "quantry/v1/job_service.grpc.pb.h"
#include "quantry/v1/worker_service.grpc.pb.h"
#include "server/rpc/server.h"
#include "server/store/file_blob_store.h"
#include "server/store/sql_job_store.h"
#include "server/store/token_store.h"
#include "tests/server/fake_clock.h"
#include "tests/server/temp_folder.h"

namespace quantry::server {

// The error details that a call's status carries.
struct CallError {
  grpc::StatusCode code = grpc::StatusCode::OK;
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad_request;
};
CallError ErrorOf(const grpc::Status& status);

// The bytes of a file that looks like an ONNX model.
std::string FakeModel();

// A server in this process, on real files and a fake clock, and stubs that talk to it.
class ServerFixture : public testing::Test {
 protected:
  // `metrics`: HOST:PORT of the Prometheus endpoint; empty: none, which is quicker to stop.
  // `database`: URL of a PostgreSQL database; empty: SQLite in folder_.
  explicit ServerFixture(std::string metrics = "", std::string database = "");

  void StartServer();
  // Ends the server and starts another on the same files.
  void RestartServer();

  // Calls with the success asserted. A job's name comes back, or a lease.
  std::string Submit(const v1::JobSpec& spec);
  v1::Job Get(const std::string& name);
  void Register(const std::string& worker_id);
  v1::AcquireLeaseResponse Acquire(const std::string& worker_id,
                                   absl::Duration wait = absl::ZeroDuration());
  grpc::Status Heartbeat(const std::string& worker_id, const v1::Lease& lease,
                         v1::HeartbeatResponse* response);
  grpc::Status Report(const std::string& worker_id, const v1::Lease& lease, int64_t first_number,
                      const std::vector<v1::TrainerEvent>& events);
  grpc::Status Finish(v1::FinishAttemptRequest request, v1::JobState* state = nullptr);
  // Sends the bytes in pieces of `piece_bytes` from `offset` on.
  grpc::Status Upload(const std::string& upload, const std::string& content, int64_t offset,
                      size_t piece_bytes, bool finish, v1::UploadStatus* response);
  std::string StoreBlob(const std::string& content);
  grpc::Status Download(const std::string& sha256, int64_t offset, std::string* content);
  // All events after `after` of a job that ends.
  grpc::Status Watch(const std::string& name, int64_t after, std::vector<v1::Event>* events);

  const std::string metrics_;
  const std::string database_;
  FakeClock clock_;
  TempFolder folder_;
  std::unique_ptr<SqlJobStore> job_store_;
  std::unique_ptr<TokenStore> token_store_;
  std::unique_ptr<QuotaStore> quota_store_;
  std::unique_ptr<FileBlobStore> blob_store_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
  std::unique_ptr<v1::BlobService::Stub> blobs_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
  std::unique_ptr<v1::CapabilityService::Stub> capabilities_;
};

v1::TrainerEvent StepEvent(int64_t step);
v1::FinishAttemptRequest FailureOutcome(const std::string& worker_id, const v1::Lease& lease,
                                        v1::FailureKind kind);
v1::FinishAttemptRequest SuccessOutcome(const std::string& worker_id, const v1::Lease& lease);

}  // namespace quantry::server

#endif  // QUANTRY_TESTS_SERVER_RPC_SERVER_FIXTURE_H_
