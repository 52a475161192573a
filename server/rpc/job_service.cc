#include "server/rpc/job_service.h"

#include "server/rpc/rpc_call.h"

namespace quantry::server {

grpc::Status JobService::CreateJob(grpc::ServerContext*, const v1::CreateJobRequest* request,
                                   v1::Job* response) {
  return RunUnary(metrics_, "JobService/CreateJob", response,
                  [&] { return controller_.CreateJob(*request); });
}

grpc::Status JobService::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                                v1::Job* response) {
  return RunUnary(metrics_, "JobService/GetJob", response,
                  [&] { return controller_.GetJob(*request); });
}

grpc::Status JobService::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                  v1::ListJobsResponse* response) {
  return RunUnary(metrics_, "JobService/ListJobs", response,
                  [&] { return controller_.ListJobs(*request); });
}

grpc::Status JobService::CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                                   v1::Job* response) {
  return RunUnary(metrics_, "JobService/CancelJob", response,
                  [&] { return controller_.CancelJob(*request); });
}

grpc::Status JobService::WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                                  grpc::ServerWriter<v1::Event>* writer) {
  return RunCall(metrics_, "JobService/WatchJob", [&] {
    // Write waits for flow control: a watcher that does not read holds one batch of events.
    return controller_.WatchJob(
        *request, [&](const v1::Event& event) { return writer->Write(event); },
        [&] { return context->IsCancelled(); });
  });
}

grpc::Status JobService::PauseJob(grpc::ServerContext*, const v1::PauseJobRequest* request,
                                  v1::Job* response) {
  return RunUnary(metrics_, "JobService/PauseJob", response,
                  [&] { return controller_.PauseJob(*request); });
}

grpc::Status JobService::ResumeJob(grpc::ServerContext*, const v1::ResumeJobRequest* request,
                                   v1::Job* response) {
  return RunUnary(metrics_, "JobService/ResumeJob", response,
                  [&] { return controller_.ResumeJob(*request); });
}

grpc::Status JobService::RetryJob(grpc::ServerContext*, const v1::RetryJobRequest* request,
                                  v1::Job* response) {
  return RunUnary(metrics_, "JobService/RetryJob", response,
                  [&] { return controller_.RetryJob(*request); });
}

grpc::Status JobService::DeleteJob(grpc::ServerContext*, const v1::DeleteJobRequest* request,
                                   v1::Job* response) {
  return RunUnary(metrics_, "JobService/DeleteJob", response,
                  [&] { return controller_.DeleteJob(*request); });
}

grpc::Status JobService::UndeleteJob(grpc::ServerContext*, const v1::UndeleteJobRequest* request,
                                     v1::Job* response) {
  return RunUnary(metrics_, "JobService/UndeleteJob", response,
                  [&] { return controller_.UndeleteJob(*request); });
}

}  // namespace quantry::server
