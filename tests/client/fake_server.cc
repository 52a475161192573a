#include "tests/client/fake_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/job_watcher.h"
#include "common/sha256.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace quantry::client {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(5);

}  // namespace

FakeServer::FakeServer(const std::string& address) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(static_cast<v1::JobService::Service*>(this));
  builder.RegisterService(static_cast<v1::CapabilityService::Service*>(this));
  builder.RegisterService(static_cast<v1::BlobService::Service*>(this));
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeServer::~FakeServer() { server_->Shutdown(std::chrono::system_clock::now()); }

void FakeServer::AddJob(const v1::Job& job, std::vector<v1::Event> events) {
  absl::MutexLock lock(&mutex_);
  jobs_[job.name()] = job;
  events_[job.name()] = std::move(events);
}

void FakeServer::AddBlob(const std::string& sha256, const std::string& bytes) {
  absl::MutexLock lock(&mutex_);
  blobs_[sha256] = bytes;
}

void FakeServer::LoseCreateAnswers(int count) {
  absl::MutexLock lock(&mutex_);
  lost_answers_ = count;
}

void FakeServer::RefuseCreate(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  refusal_ = status;
}

void FakeServer::BreakWatchesAfter(std::vector<int> events) {
  absl::MutexLock lock(&mutex_);
  breaks_ = std::move(events);
}

void FakeServer::LeaveOutEvent(int64_t sequence, int times) {
  absl::MutexLock lock(&mutex_);
  left_out_ = sequence;
  left_out_times_ = times;
}

std::vector<v1::CreateJobRequest> FakeServer::creates() const {
  absl::MutexLock lock(&mutex_);
  return creates_;
}

std::vector<int64_t> FakeServer::watched_after() const {
  absl::MutexLock lock(&mutex_);
  return watched_after_;
}

int FakeServer::uploads() const {
  absl::MutexLock lock(&mutex_);
  return uploads_;
}

std::string FakeServer::blob(const std::string& sha256) const {
  absl::MutexLock lock(&mutex_);
  const auto found = blobs_.find(sha256);
  return found == blobs_.end() ? "" : found->second;
}

bool FakeServer::AwaitWatches(int count) const {
  const auto enough = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return static_cast<int>(watched_after_.size()) >= count;
  };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(20));
}

grpc::Status FakeServer::CreateJob(grpc::ServerContext*, const v1::CreateJobRequest* request,
                                   v1::Job* job) {
  absl::MutexLock lock(&mutex_);
  creates_.push_back(*request);
  if (lost_answers_-- > 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "lost");
  if (!refusal_.ok()) return refusal_;
  *job->mutable_spec() = request->spec();
  if (request->validate_only()) return grpc::Status::OK;
  job->set_name("jobs/0abc");
  job->set_state(v1::JOB_STATE_QUEUED);
  return grpc::Status::OK;
}

grpc::Status FakeServer::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                                v1::Job* job) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(request->name());
  if (found == jobs_.end()) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND,
                        absl::StrCat("there is no job ", request->name()));
  }
  *job = found->second;
  return grpc::Status::OK;
}

// One job per page, however many were asked for: clients must follow the tokens.
grpc::Status FakeServer::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                  v1::ListJobsResponse* response) {
  absl::MutexLock lock(&mutex_);
  auto next = jobs_.upper_bound(request->page_token());
  const auto fits = [request](const v1::Job& job) {
    return request->states().empty() ||
           std::count(request->states().begin(), request->states().end(), job.state()) > 0;
  };
  while (next != jobs_.end() && !fits(next->second)) ++next;
  if (next == jobs_.end()) return grpc::Status::OK;
  *response->add_jobs() = next->second;
  if (std::next(next) != jobs_.end()) response->set_next_page_token(next->first);
  return grpc::Status::OK;
}

grpc::Status FakeServer::CancelJob(grpc::ServerContext* context,
                                   const v1::CancelJobRequest* request, v1::Job* job) {
  v1::GetJobRequest get;
  get.set_name(request->name());
  return GetJob(context, &get, job);
}

FakeServer::WatchPlan FakeServer::PlanWatch(const v1::WatchJobRequest& request) {
  absl::MutexLock lock(&mutex_);
  WatchPlan plan;
  size_t limit = events_[request.name()].size();
  if (watched_after_.size() < breaks_.size()) {
    limit = static_cast<size_t>(breaks_[watched_after_.size()]);
    plan.breaks = true;
  }
  watched_after_.push_back(request.after_sequence());
  bool left_out = false;
  for (const v1::Event& event : events_[request.name()]) {
    if (event.sequence() <= request.after_sequence() || plan.events.size() == limit) continue;
    if (event.sequence() == left_out_ && left_out_times_ > 0) {
      left_out = true;
      continue;
    }
    plan.events.push_back(event);
  }
  if (left_out) --left_out_times_;
  const std::vector<v1::Event>& all = events_[request.name()];
  plan.ended = !all.empty() && IsTerminal(all.back().state_change().state());
  return plan;
}

grpc::Status FakeServer::WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                                  grpc::ServerWriter<v1::Event>* writer) {
  v1::Job job;
  v1::GetJobRequest get;
  get.set_name(request->name());
  if (const grpc::Status status = GetJob(context, &get, &job); !status.ok()) return status;
  const WatchPlan plan = PlanWatch(*request);
  for (const v1::Event& event : plan.events) writer->Write(event);
  if (plan.breaks) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server restarts");
  while (!plan.ended && !context->IsCancelled()) absl::SleepFor(kPoll);
  return grpc::Status::OK;
}

grpc::Status FakeServer::GetCapabilities(grpc::ServerContext*, const v1::GetCapabilitiesRequest*,
                                         v1::Capabilities* capabilities) {
  capabilities->set_version("9.8.7");
  capabilities->add_modes("float");
  capabilities->add_modes("qat");
  capabilities->add_builtin_models("resnet18");
  capabilities->set_min_bits(2);
  capabilities->set_max_bits(8);
  capabilities->set_max_upload_bytes(int64_t{2} << 30);
  v1::WorkerSummary& worker = *capabilities->add_workers();
  worker.set_name("workers/w1");
  worker.set_hostname("host-1");
  worker.add_devices("cuda:0 NVIDIA H200");
  worker.set_alive(true);
  return grpc::Status::OK;
}

grpc::Status FakeServer::StartUpload(grpc::ServerContext*, const v1::StartUploadRequest* request,
                                     v1::UploadStatus* status) {
  absl::MutexLock lock(&mutex_);
  status->set_upload(request->sha256());
  status->set_complete(blobs_.count(request->sha256()) > 0);
  if (status->complete()) status->set_committed_size(request->size_bytes());
  return grpc::Status::OK;
}

grpc::Status FakeServer::Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>* reader,
                                v1::UploadStatus* status) {
  std::string bytes;
  v1::UploadRequest request;
  while (reader->Read(&request)) bytes += request.data();
  absl::MutexLock lock(&mutex_);
  ++uploads_;
  status->set_committed_size(static_cast<int64_t>(bytes.size()));
  status->set_complete(true);
  blobs_[Sha256Hex(bytes)] = bytes;
  return grpc::Status::OK;
}

grpc::Status FakeServer::Download(grpc::ServerContext*, const v1::DownloadRequest* request,
                                  grpc::ServerWriter<v1::DownloadResponse>* writer) {
  const std::string bytes = blob(request->sha256());
  if (bytes.empty()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "there is no such blob");
  v1::DownloadResponse response;
  response.set_offset(request->offset());
  response.set_size_bytes(static_cast<int64_t>(bytes.size()));
  response.set_data(bytes.substr(static_cast<size_t>(request->offset())));
  writer->Write(response);
  return grpc::Status::OK;
}

grpc::Status InvalidSpecError() {
  google::rpc::ErrorInfo info;
  info.set_reason("SPEC_INVALID");
  info.set_domain("quantry");
  google::rpc::BadRequest bad;
  auto& epochs = *bad.add_field_violations();
  epochs.set_field("spec.training.epochs");
  epochs.set_description("is -1; allowed: 0 or more");
  auto& bits = *bad.add_field_violations();
  bits.set_field("spec.quant_config.weight_bits");
  bits.set_description("is 1; allowed: 2 to 8");
  google::rpc::Status status;
  status.set_code(static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  status.set_message("the spec is invalid");
  status.add_details()->PackFrom(info);
  status.add_details()->PackFrom(bad);
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, status.message(),
                      status.SerializeAsString());
}

}  // namespace quantry::client
