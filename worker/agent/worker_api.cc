#include "worker/agent/worker_api.h"

#include "absl/time/clock.h"
#include "client/transfer/channel.h"
#include "client/transfer/grpc_status.h"
#include "common/status_macros.h"

namespace quantry::agent {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(20);

void SetTimeout(grpc::ClientContext& context, absl::Duration timeout) {
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration result;
  result.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return result;
}

}  // namespace

absl::StatusOr<v1::RegisterWorkerResponse> WorkerApi::Register(v1::RegisterWorkerRequest request) {
  grpc::ClientContext context;
  SetTimeout(context, kCallTimeout);
  request.set_worker_id(worker_id_);
  v1::RegisterWorkerResponse response;
  QUANTRY_RETURN_IF_ERROR(client::FromGrpc(stub_->RegisterWorker(&context, request, &response)));
  return response;
}

absl::StatusOr<v1::AcquireLeaseResponse> WorkerApi::Acquire(const std::string& device,
                                                            absl::Duration wait) {
  grpc::ClientContext context;
  SetTimeout(context, wait + kCallTimeout);
  v1::AcquireLeaseRequest request;
  request.set_worker_id(worker_id_);
  request.set_device(device);
  *request.mutable_wait() = ToProto(wait);
  {
    absl::MutexLock lock(&mutex_);
    if (acquiring_stopped_) return absl::CancelledError("the worker is stopping");
    waiting_.insert(&context);
  }
  v1::AcquireLeaseResponse response;
  const grpc::Status status = stub_->AcquireLease(&context, request, &response);
  {
    absl::MutexLock lock(&mutex_);
    waiting_.erase(&context);
  }
  QUANTRY_RETURN_IF_ERROR(client::FromGrpc(status));
  return response;
}

void WorkerApi::StopAcquiring() {
  absl::MutexLock lock(&mutex_);
  acquiring_stopped_ = true;
  for (grpc::ClientContext* context : waiting_) context->TryCancel();
}

absl::StatusOr<v1::HeartbeatResponse> WorkerApi::Heartbeat(const std::optional<v1::Lease>& lease,
                                                           absl::Duration timeout) {
  grpc::ClientContext context;
  SetTimeout(context, timeout);
  context.set_wait_for_ready(true);  // a server that comes back is told at once
  v1::HeartbeatRequest request;
  request.set_worker_id(worker_id_);
  if (lease.has_value()) *request.mutable_lease() = *lease;
  v1::HeartbeatResponse response;
  QUANTRY_RETURN_IF_ERROR(client::FromGrpc(stub_->Heartbeat(&context, request, &response)));
  return response;
}

absl::StatusOr<v1::ReportEventsResponse> WorkerApi::ReportEvents(v1::ReportEventsRequest& request) {
  grpc::ClientContext context;
  SetTimeout(context, kCallTimeout);
  request.set_worker_id(worker_id_);
  v1::ReportEventsResponse response;
  QUANTRY_RETURN_IF_ERROR(client::FromGrpc(stub_->ReportEvents(&context, request, &response)));
  return response;
}

absl::StatusOr<v1::FinishAttemptResponse> WorkerApi::Finish(v1::FinishAttemptRequest& request) {
  grpc::ClientContext context;
  SetTimeout(context, kCallTimeout);
  request.set_worker_id(worker_id_);
  v1::FinishAttemptResponse response;
  QUANTRY_RETURN_IF_ERROR(client::FromGrpc(stub_->FinishAttempt(&context, request, &response)));
  return response;
}

bool WorkerApi::WaitForRetry(absl::Duration delay, const std::function<bool()>& cancelled) {
  return client::WaitForRetry(*channel_, delay, cancelled);
}

bool IsLeaseGone(const absl::Status& error) {
  const std::string reason = client::ReasonOf(error);
  return reason == "STALE_LEASE" || reason == "JOB_NOT_FOUND";
}

bool IsWorkerUnknown(const absl::Status& error) {
  return client::ReasonOf(error) == "WORKER_NOT_FOUND";
}

}  // namespace quantry::agent
