#ifndef QUANTRY_SERVER_RPC_WORKER_SERVICE_H_
#define QUANTRY_SERVER_RPC_WORKER_SERVICE_H_

#include "quantry/v1/worker_service.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/lease_controller.h"

namespace quantry::server {

// quantry.v1.WorkerService. Thread-safe; the references must outlive it.
class WorkerService final : public v1::WorkerService::Service {
 public:
  WorkerService(LeaseController& controller, CallGate& gate)
      : controller_(controller), gate_(gate) {}

  grpc::Status RegisterWorker(grpc::ServerContext* context,
                              const v1::RegisterWorkerRequest* request,
                              v1::RegisterWorkerResponse* response) override;
  grpc::Status AcquireLease(grpc::ServerContext* context, const v1::AcquireLeaseRequest* request,
                            v1::AcquireLeaseResponse* response) override;
  grpc::Status Heartbeat(grpc::ServerContext* context, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override;
  grpc::Status ReportEvents(grpc::ServerContext* context, const v1::ReportEventsRequest* request,
                            v1::ReportEventsResponse* response) override;
  grpc::Status FinishAttempt(grpc::ServerContext* context, const v1::FinishAttemptRequest* request,
                             v1::FinishAttemptResponse* response) override;

 private:
  LeaseController& controller_;
  CallGate& gate_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_WORKER_SERVICE_H_
