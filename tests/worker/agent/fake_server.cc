#include "tests/worker/agent/fake_server.h"

#include <grpcpp/grpcpp.h>

#include "absl/strings/str_cat.h"

namespace quantry::agent {
namespace {

constexpr absl::Duration kDeadline = absl::Minutes(1);

}  // namespace

FakeServer::FakeServer(absl::Duration lease_duration) : lease_duration_(lease_duration) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  builder.RegisterService(&blobs_);
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeServer::~FakeServer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  server_->Shutdown();
}

v1::Lease FakeServer::Submit(const std::string& display_name, const std::string& model_blob,
                             const std::string& checkpoint_blob) {
  absl::MutexLock lock(&mutex_);
  v1::AcquireLeaseResponse work;
  work.mutable_lease()->set_job(absl::StrCat("jobs/job", ++submitted_));
  work.mutable_lease()->set_attempt(1);
  work.mutable_lease()->set_epoch(submitted_);
  work.mutable_job()->set_name(work.lease().job());
  work.mutable_job()->mutable_spec()->set_display_name(display_name);
  work.set_model_blob(model_blob);
  work.set_checkpoint_blob(checkpoint_blob);
  next_number_ = 1;
  cancel_ = false;
  yield_ = false;
  stale_ = false;
  queue_.push_back(work);
  return work.lease();
}

std::optional<v1::FinishAttemptRequest> FakeServer::WaitForFinish() {
  absl::MutexLock lock(&mutex_);
  const auto came = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !finished_.empty(); };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&came), kDeadline)) return std::nullopt;
  v1::FinishAttemptRequest request = std::move(finished_.front());
  finished_.pop_front();
  return request;
}

bool FakeServer::WaitForEvents(
    const std::function<bool(const std::vector<v1::TrainerEvent>&)>& condition) {
  absl::MutexLock lock(&mutex_);
  const auto holds = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return condition(events_); };
  return mutex_.AwaitWithTimeout(absl::Condition(&holds), kDeadline);
}

bool FakeServer::WaitForRegistrations(int times) {
  absl::MutexLock lock(&mutex_);
  const auto came = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return registrations_ >= times; };
  return mutex_.AwaitWithTimeout(absl::Condition(&came), kDeadline);
}

std::vector<v1::TrainerEvent> FakeServer::events() {
  absl::MutexLock lock(&mutex_);
  return events_;
}

v1::RegisterWorkerRequest FakeServer::registration() {
  absl::MutexLock lock(&mutex_);
  return registration_;
}

int FakeServer::finishes() {
  absl::MutexLock lock(&mutex_);
  return finishes_;
}

void FakeServer::RequestYield() {
  absl::MutexLock lock(&mutex_);
  yield_ = true;
}

void FakeServer::RequestCancel() {
  absl::MutexLock lock(&mutex_);
  cancel_ = true;
}

void FakeServer::ForgetWorker() {
  absl::MutexLock lock(&mutex_);
  known_ = false;
}

void FakeServer::TakeLeaseAway() {
  absl::MutexLock lock(&mutex_);
  stale_ = true;
}

void FakeServer::SetAway(bool away) {
  absl::MutexLock lock(&mutex_);
  away_ = away;
}

void FakeServer::LoseAnswers(int times) {
  absl::MutexLock lock(&mutex_);
  lost_answers_ = times;
}

grpc::Status FakeServer::CheckWorker(bool needs_lease) {
  if (away_) return {grpc::StatusCode::UNAVAILABLE, "away"};
  if (!known_) {
    return client::ErrorWithReason(grpc::StatusCode::NOT_FOUND, "WORKER_NOT_FOUND", "who?");
  }
  if (needs_lease && stale_) {
    return client::ErrorWithReason(grpc::StatusCode::FAILED_PRECONDITION, "STALE_LEASE", "stale");
  }
  return grpc::Status::OK;
}

grpc::Status FakeServer::MaybeLoseAnswer() {
  if (lost_answers_ == 0) return grpc::Status::OK;
  --lost_answers_;
  return {grpc::StatusCode::UNAVAILABLE, "the answer was lost"};
}

grpc::Status FakeServer::RegisterWorker(grpc::ServerContext*,
                                        const v1::RegisterWorkerRequest* request,
                                        v1::RegisterWorkerResponse* response) {
  absl::MutexLock lock(&mutex_);
  if (away_) return {grpc::StatusCode::UNAVAILABLE, "away"};
  registration_ = *request;
  known_ = true;
  ++registrations_;
  const int64_t lease = absl::ToInt64Milliseconds(lease_duration_);
  response->mutable_lease_duration()->set_seconds(lease / 1000);
  response->mutable_lease_duration()->set_nanos(static_cast<int32_t>(lease % 1000 * 1'000'000));
  response->mutable_heartbeat_interval()->set_nanos(50'000'000);
  return grpc::Status::OK;
}

grpc::Status FakeServer::AcquireLease(grpc::ServerContext* context,
                                      const v1::AcquireLeaseRequest* request,
                                      v1::AcquireLeaseResponse* response) {
  const absl::Time end = absl::Now() + absl::Seconds(request->wait().seconds());
  absl::MutexLock lock(&mutex_);
  while (true) {
    if (grpc::Status status = CheckWorker(false); !status.ok()) return status;
    if (!queue_.empty()) {
      *response = std::move(queue_.front());
      queue_.pop_front();
      return grpc::Status::OK;
    }
    if (stopping_ || context->IsCancelled() || absl::Now() >= end) return grpc::Status::OK;
    const auto wake = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return stopping_ || !queue_.empty() || !known_;
    };
    mutex_.AwaitWithTimeout(absl::Condition(&wake), absl::Milliseconds(20));
  }
}

grpc::Status FakeServer::Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                                   v1::HeartbeatResponse* response) {
  absl::MutexLock lock(&mutex_);
  if (grpc::Status status = CheckWorker(request->has_lease()); !status.ok()) return status;
  response->set_cancel(request->has_lease() && cancel_);
  response->set_yield(request->has_lease() && yield_);
  return grpc::Status::OK;
}

grpc::Status FakeServer::ReportEvents(grpc::ServerContext*, const v1::ReportEventsRequest* request,
                                      v1::ReportEventsResponse* response) {
  absl::MutexLock lock(&mutex_);
  if (grpc::Status status = CheckWorker(true); !status.ok()) return status;
  if (request->first_number() > next_number_) {
    return client::ErrorWithReason(grpc::StatusCode::OUT_OF_RANGE, "EVENT_GAP", "gap");
  }
  for (int i = 0; i < request->events_size(); ++i) {
    if (request->first_number() + i < next_number_) continue;
    events_.push_back(request->events(i));
    ++next_number_;
  }
  response->set_next_number(next_number_);
  return MaybeLoseAnswer();
}

grpc::Status FakeServer::FinishAttempt(grpc::ServerContext*,
                                       const v1::FinishAttemptRequest* request,
                                       v1::FinishAttemptResponse*) {
  absl::MutexLock lock(&mutex_);
  if (grpc::Status status = CheckWorker(true); !status.ok()) return status;
  ++finishes_;
  const grpc::Status answer = MaybeLoseAnswer();
  if (answer.ok()) finished_.push_back(*request);
  return answer;
}

}  // namespace quantry::agent
