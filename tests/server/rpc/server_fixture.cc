#include "tests/server/rpc/server_fixture.h"

#include <utility>

#include "common/sha256.h"

namespace quantry::server {

CallError ErrorOf(const grpc::Status& status) {
  CallError error;
  error.code = status.error_code();
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  for (const auto& detail : details.details()) {
    detail.UnpackTo(&error.info);
    detail.UnpackTo(&error.bad_request);
  }
  return error;
}

std::string FakeModel() { return std::string("\x08\x08\x3a\x04grph", 8); }

v1::TrainerEvent StepEvent(int64_t step) {
  v1::TrainerEvent event;
  event.mutable_progress()->set_phase(v1::PHASE_TRAINING);
  event.mutable_progress()->set_step(step);
  return event;
}

v1::FinishAttemptRequest FailureOutcome(const std::string& worker_id, const v1::Lease& lease,
                                        v1::FailureKind kind) {
  v1::FinishAttemptRequest request;
  request.set_worker_id(worker_id);
  *request.mutable_lease() = lease;
  request.mutable_failure()->set_kind(kind);
  request.mutable_failure()->set_reason("TEST");
  return request;
}

v1::FinishAttemptRequest SuccessOutcome(const std::string& worker_id, const v1::Lease& lease) {
  v1::FinishAttemptRequest request;
  request.set_worker_id(worker_id);
  *request.mutable_lease() = lease;
  request.mutable_success();
  return request;
}

ServerFixture::ServerFixture(std::string metrics, std::string database)
    : metrics_(std::move(metrics)), database_(std::move(database)) {
  StartServer();
}

void ServerFixture::StartServer() {
  const auto database = database_.empty() ? *SqlDatabase::OpenSqlite(folder_.path() / "quantry.db")
                                          : *SqlDatabase::OpenPostgres(database_);
  job_store_ = std::make_unique<SqlJobStore>(database);
  token_store_ = std::make_unique<TokenStore>(database);
  quota_store_ = std::make_unique<QuotaStore>(database);
  blob_store_ = *FileBlobStore::Open(folder_.path());
  ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.metrics = metrics_;
  options.max_upload_bytes = 4 << 20;
  auto server =
      Server::Start(options, {*job_store_, *blob_store_, *token_store_, *quota_store_}, clock_);
  EXPECT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  channel_ = grpc::CreateChannel(server_->listen_address(), grpc::InsecureChannelCredentials());
  jobs_ = v1::JobService::NewStub(channel_);
  workers_ = v1::WorkerService::NewStub(channel_);
  blobs_ = v1::BlobService::NewStub(channel_);
  admin_ = v1::AdminService::NewStub(channel_);
  capabilities_ = v1::CapabilityService::NewStub(channel_);
}

void ServerFixture::RestartServer() {
  server_.reset();
  job_store_.reset();
  token_store_.reset();
  quota_store_.reset();
  blob_store_.reset();
  StartServer();
}

std::string ServerFixture::Submit(const v1::JobSpec& spec) {
  grpc::ClientContext context;
  v1::CreateJobRequest request;
  *request.mutable_spec() = spec;
  v1::Job job;
  const grpc::Status status = jobs_->CreateJob(&context, request, &job);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return job.name();
}

v1::Job ServerFixture::Get(const std::string& name) {
  grpc::ClientContext context;
  v1::GetJobRequest request;
  request.set_name(name);
  v1::Job job;
  const grpc::Status status = jobs_->GetJob(&context, request, &job);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return job;
}

void ServerFixture::Register(const std::string& worker_id) {
  grpc::ClientContext context;
  v1::RegisterWorkerRequest request;
  request.set_worker_id(worker_id);
  request.set_hostname("host");
  v1::Device& device = *request.add_devices();
  device.set_id("cpu");
  device.set_kind("cpu");
  v1::RegisterWorkerResponse response;
  const grpc::Status status = workers_->RegisterWorker(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.lease_duration().seconds(), 30);
  EXPECT_EQ(response.heartbeat_interval().seconds(), 10);
}

v1::AcquireLeaseResponse ServerFixture::Acquire(const std::string& worker_id, absl::Duration wait) {
  grpc::ClientContext context;
  v1::AcquireLeaseRequest request;
  request.set_worker_id(worker_id);
  request.set_device("cpu");
  *request.mutable_wait() = ToProto(wait);
  v1::AcquireLeaseResponse response;
  const grpc::Status status = workers_->AcquireLease(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

grpc::Status ServerFixture::Heartbeat(const std::string& worker_id, const v1::Lease& lease,
                                      v1::HeartbeatResponse* response) {
  grpc::ClientContext context;
  v1::HeartbeatRequest request;
  request.set_worker_id(worker_id);
  *request.mutable_lease() = lease;
  return workers_->Heartbeat(&context, request, response);
}

grpc::Status ServerFixture::Report(const std::string& worker_id, const v1::Lease& lease,
                                   int64_t first_number,
                                   const std::vector<v1::TrainerEvent>& events) {
  grpc::ClientContext context;
  v1::ReportEventsRequest request;
  request.set_worker_id(worker_id);
  *request.mutable_lease() = lease;
  request.set_first_number(first_number);
  for (const v1::TrainerEvent& event : events) *request.add_events() = event;
  v1::ReportEventsResponse response;
  return workers_->ReportEvents(&context, request, &response);
}

grpc::Status ServerFixture::Finish(v1::FinishAttemptRequest request, v1::JobState* state) {
  grpc::ClientContext context;
  v1::FinishAttemptResponse response;
  const grpc::Status status = workers_->FinishAttempt(&context, request, &response);
  if (state != nullptr) *state = response.state();
  return status;
}

grpc::Status ServerFixture::Upload(const std::string& upload, const std::string& content,
                                   int64_t offset, size_t piece_bytes, bool finish,
                                   v1::UploadStatus* response) {
  grpc::ClientContext context;
  const auto writer = blobs_->Upload(&context, response);
  bool first = true;
  for (size_t at = static_cast<size_t>(offset); at < content.size(); at += piece_bytes) {
    v1::UploadRequest chunk;
    if (first) chunk.set_upload(upload);
    first = false;
    chunk.set_offset(static_cast<int64_t>(at));
    chunk.set_data(content.substr(at, piece_bytes));
    chunk.set_finish(finish && at + piece_bytes >= content.size());
    if (!writer->Write(chunk)) break;
  }
  writer->WritesDone();
  return writer->Finish();
}

std::string ServerFixture::StoreBlob(const std::string& content) {
  grpc::ClientContext context;
  v1::StartUploadRequest request;
  request.set_sha256(Sha256Hex(content));
  request.set_size_bytes(static_cast<int64_t>(content.size()));
  v1::UploadStatus status;
  EXPECT_TRUE(blobs_->StartUpload(&context, request, &status).ok());
  if (!status.complete()) {
    EXPECT_TRUE(Upload(status.upload(), content, 0, 1 << 16, true, &status).ok());
  }
  EXPECT_TRUE(status.complete());
  return request.sha256();
}

grpc::Status ServerFixture::Download(const std::string& sha256, int64_t offset,
                                     std::string* content) {
  grpc::ClientContext context;
  v1::DownloadRequest request;
  request.set_sha256(sha256);
  request.set_offset(offset);
  const auto reader = blobs_->Download(&context, request);
  v1::DownloadResponse response;
  while (reader->Read(&response)) {
    EXPECT_EQ(response.offset(), offset + static_cast<int64_t>(content->size()));
    content->append(response.data());
  }
  return reader->Finish();
}

grpc::Status ServerFixture::Watch(const std::string& name, int64_t after,
                                  std::vector<v1::Event>* events) {
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_name(name);
  request.set_after_sequence(after);
  const auto reader = jobs_->WatchJob(&context, request);
  v1::Event event;
  while (reader->Read(&event)) events->push_back(event);
  return reader->Finish();
}

}  // namespace quantry::server
