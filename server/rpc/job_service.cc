#include "server/rpc/job_service.h"

namespace quantry::server {

grpc::Status JobService::CreateJob(grpc::ServerContext* context,
                                   const v1::CreateJobRequest* request, v1::Job* response) {
  return gate_.Unary(context, "JobService/CreateJob", *request, response,
                     [&](const Principal& who) { return controller_.CreateJob(*request, who); });
}

grpc::Status JobService::GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                                v1::Job* response) {
  return gate_.Unary(context, "JobService/GetJob", *request, response,
                     [&](const Principal& who) { return controller_.GetJob(*request, who); });
}

grpc::Status JobService::ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                                  v1::ListJobsResponse* response) {
  return gate_.Unary(context, "JobService/ListJobs", *request, response,
                     [&](const Principal& who) { return controller_.ListJobs(*request, who); });
}

grpc::Status JobService::CancelJob(grpc::ServerContext* context,
                                   const v1::CancelJobRequest* request, v1::Job* response) {
  return gate_.Unary(context, "JobService/CancelJob", *request, response,
                     [&](const Principal& who) { return controller_.CancelJob(*request, who); });
}

grpc::Status JobService::WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                                  grpc::ServerWriter<v1::Event>* writer) {
  return gate_.Run(
      *context, "JobService/WatchJob", [&] { return request->name(); },
      [&](const Principal& who) {
        // Write waits for flow control: a watcher that does not read holds one batch of events.
        return controller_.WatchJob(
            *request, who, [&](const v1::Event& event) { return writer->Write(event); },
            [&] { return context->IsCancelled(); });
      });
}

grpc::Status JobService::PauseJob(grpc::ServerContext* context, const v1::PauseJobRequest* request,
                                  v1::Job* response) {
  return gate_.Unary(context, "JobService/PauseJob", *request, response,
                     [&](const Principal& who) { return controller_.PauseJob(*request, who); });
}

grpc::Status JobService::ResumeJob(grpc::ServerContext* context,
                                   const v1::ResumeJobRequest* request, v1::Job* response) {
  return gate_.Unary(context, "JobService/ResumeJob", *request, response,
                     [&](const Principal& who) { return controller_.ResumeJob(*request, who); });
}

grpc::Status JobService::RetryJob(grpc::ServerContext* context, const v1::RetryJobRequest* request,
                                  v1::Job* response) {
  return gate_.Unary(context, "JobService/RetryJob", *request, response,
                     [&](const Principal& who) { return controller_.RetryJob(*request, who); });
}

grpc::Status JobService::DeleteJob(grpc::ServerContext* context,
                                   const v1::DeleteJobRequest* request, v1::Job* response) {
  return gate_.Unary(context, "JobService/DeleteJob", *request, response,
                     [&](const Principal& who) { return controller_.DeleteJob(*request, who); });
}

grpc::Status JobService::UndeleteJob(grpc::ServerContext* context,
                                     const v1::UndeleteJobRequest* request, v1::Job* response) {
  return gate_.Unary(context, "JobService/UndeleteJob", *request, response,
                     [&](const Principal& who) { return controller_.UndeleteJob(*request, who); });
}

}  // namespace quantry::server
