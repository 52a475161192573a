#include "server/rpc/worker_service.h"

#include "server/rpc/rpc_call.h"

namespace quantry::server {

grpc::Status WorkerService::RegisterWorker(grpc::ServerContext*,
                                           const v1::RegisterWorkerRequest* request,
                                           v1::RegisterWorkerResponse* response) {
  return RunUnary(metrics_, "WorkerService/RegisterWorker", response,
                  [&] { return controller_.RegisterWorker(*request); });
}

grpc::Status WorkerService::AcquireLease(grpc::ServerContext* context,
                                         const v1::AcquireLeaseRequest* request,
                                         v1::AcquireLeaseResponse* response) {
  return RunUnary(metrics_, "WorkerService/AcquireLease", response, [&] {
    return controller_.AcquireLease(*request, [&] { return context->IsCancelled(); });
  });
}

grpc::Status WorkerService::Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                                      v1::HeartbeatResponse* response) {
  return RunUnary(metrics_, "WorkerService/Heartbeat", response,
                  [&] { return controller_.Heartbeat(*request); });
}

grpc::Status WorkerService::ReportEvents(grpc::ServerContext*,
                                         const v1::ReportEventsRequest* request,
                                         v1::ReportEventsResponse* response) {
  return RunUnary(metrics_, "WorkerService/ReportEvents", response,
                  [&] { return controller_.ReportEvents(*request); });
}

grpc::Status WorkerService::FinishAttempt(grpc::ServerContext*,
                                          const v1::FinishAttemptRequest* request,
                                          v1::FinishAttemptResponse* response) {
  return RunUnary(metrics_, "WorkerService/FinishAttempt", response,
                  [&] { return controller_.FinishAttempt(*request); });
}

}  // namespace quantry::server
