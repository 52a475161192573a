#include "server/rpc/worker_service.h"

namespace quantry::server {

grpc::Status WorkerService::RegisterWorker(grpc::ServerContext* context,
                                           const v1::RegisterWorkerRequest* request,
                                           v1::RegisterWorkerResponse* response) {
  return gate_.Unary(context, "WorkerService/RegisterWorker", *request, response,
                     [&](const Principal&) { return controller_.RegisterWorker(*request); });
}

grpc::Status WorkerService::AcquireLease(grpc::ServerContext* context,
                                         const v1::AcquireLeaseRequest* request,
                                         v1::AcquireLeaseResponse* response) {
  return gate_.Unary(
      context, "WorkerService/AcquireLease", *request, response, [&](const Principal&) {
        return controller_.AcquireLease(*request, [&] { return context->IsCancelled(); });
      });
}

grpc::Status WorkerService::Heartbeat(grpc::ServerContext* context,
                                      const v1::HeartbeatRequest* request,
                                      v1::HeartbeatResponse* response) {
  return gate_.Unary(context, "WorkerService/Heartbeat", *request, response,
                     [&](const Principal&) { return controller_.Heartbeat(*request); });
}

grpc::Status WorkerService::ReportEvents(grpc::ServerContext* context,
                                         const v1::ReportEventsRequest* request,
                                         v1::ReportEventsResponse* response) {
  return gate_.Unary(context, "WorkerService/ReportEvents", *request, response,
                     [&](const Principal&) { return controller_.ReportEvents(*request); });
}

grpc::Status WorkerService::FinishAttempt(grpc::ServerContext* context,
                                          const v1::FinishAttemptRequest* request,
                                          v1::FinishAttemptResponse* response) {
  return gate_.Unary(context, "WorkerService/FinishAttempt", *request, response,
                     [&](const Principal&) { return controller_.FinishAttempt(*request); });
}

}  // namespace quantry::server
