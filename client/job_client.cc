#include "client/job_client.h"

#include <chrono>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/request_id.h"
#include "client/transfer/unary_call.h"

namespace quantry::client {

JobClient::JobClient(std::shared_ptr<grpc::Channel> channel, JobClientOptions options)
    : channel_(std::move(channel)),
      options_(options),
      jobs_(v1::JobService::NewStub(channel_)),
      capabilities_(v1::CapabilityService::NewStub(channel_)) {}

template <typename Response>
absl::StatusOr<Response> JobClient::Call(
    const std::function<grpc::Status(grpc::ClientContext*, Response*)>& call) const {
  return UnaryCall<Response>(*channel_, options_.retry, options_.call_timeout, call);
}

absl::StatusOr<v1::Job> JobClient::CreateJob(v1::CreateJobRequest request) const {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return Call<v1::Job>([&](grpc::ClientContext* context, v1::Job* job) {
    return jobs_->CreateJob(context, request, job);
  });
}

template <typename Request>
absl::StatusOr<v1::Job> JobClient::CallFor(
    absl::string_view job,
    grpc::Status (v1::JobService::StubInterface::*method)(grpc::ClientContext*, const Request&,
                                                          v1::Job*)) const {
  Request request;
  request.set_name(std::string(job));
  return Call<v1::Job>([&](grpc::ClientContext* context, v1::Job* response) {
    return (jobs_.get()->*method)(context, request, response);
  });
}

absl::StatusOr<v1::Job> JobClient::GetJob(absl::string_view job) const {
  return CallFor(job, &v1::JobService::StubInterface::GetJob);
}

absl::StatusOr<v1::Job> JobClient::CancelJob(absl::string_view job) const {
  return CallFor(job, &v1::JobService::StubInterface::CancelJob);
}

absl::StatusOr<v1::Job> JobClient::PauseJob(absl::string_view job) const {
  return CallFor(job, &v1::JobService::StubInterface::PauseJob);
}

absl::StatusOr<v1::Job> JobClient::ResumeJob(absl::string_view job) const {
  return CallFor(job, &v1::JobService::StubInterface::ResumeJob);
}

absl::StatusOr<v1::Job> JobClient::RetryJob(absl::string_view job) const {
  return CallFor(job, &v1::JobService::StubInterface::RetryJob);
}

absl::StatusOr<v1::Job> JobClient::DeleteJob(absl::string_view job) const {
  return CallFor(job, &v1::JobService::StubInterface::DeleteJob);
}

absl::StatusOr<v1::Job> JobClient::UndeleteJob(absl::string_view job) const {
  return CallFor(job, &v1::JobService::StubInterface::UndeleteJob);
}

absl::StatusOr<v1::ListJobsResponse> JobClient::ListJobs(const v1::ListJobsRequest& request) const {
  return Call<v1::ListJobsResponse>(
      [&](grpc::ClientContext* context, v1::ListJobsResponse* response) {
        return jobs_->ListJobs(context, request, response);
      });
}

absl::StatusOr<v1::Capabilities> JobClient::GetCapabilities() const {
  return Call<v1::Capabilities>([&](grpc::ClientContext* context, v1::Capabilities* response) {
    return capabilities_->GetCapabilities(context, v1::GetCapabilitiesRequest(), response);
  });
}

absl::StatusOr<std::string> JobName(absl::string_view job) {
  const absl::string_view id = absl::StripPrefix(job, "jobs/");
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  };
  if (id.empty() || !absl::c_all_of(id, allowed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", job, "' is no job; allowed: ID or jobs/ID, as 'quantry list' shows it"));
  }
  return absl::StrCat("jobs/", id);
}

}  // namespace quantry::client
