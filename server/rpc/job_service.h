#ifndef QUANTRY_SERVER_RPC_JOB_SERVICE_H_
#define QUANTRY_SERVER_RPC_JOB_SERVICE_H_

#include "quantry/v1/job_service.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/job_controller.h"

namespace quantry::server {

// quantry.v1.JobService. Thread-safe; the references must outlive it.
class JobService final : public v1::JobService::Service {
 public:
  JobService(JobController& controller, CallGate& gate) : controller_(controller), gate_(gate) {}

  grpc::Status CreateJob(grpc::ServerContext* context, const v1::CreateJobRequest* request,
                         v1::Job* response) override;
  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                      v1::Job* response) override;
  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override;
  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::Job* response) override;
  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::Event>* writer) override;
  grpc::Status PauseJob(grpc::ServerContext* context, const v1::PauseJobRequest* request,
                        v1::Job* response) override;
  grpc::Status ResumeJob(grpc::ServerContext* context, const v1::ResumeJobRequest* request,
                         v1::Job* response) override;
  grpc::Status RetryJob(grpc::ServerContext* context, const v1::RetryJobRequest* request,
                        v1::Job* response) override;
  grpc::Status DeleteJob(grpc::ServerContext* context, const v1::DeleteJobRequest* request,
                         v1::Job* response) override;
  grpc::Status UndeleteJob(grpc::ServerContext* context, const v1::UndeleteJobRequest* request,
                           v1::Job* response) override;

 private:
  JobController& controller_;
  CallGate& gate_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_JOB_SERVICE_H_
