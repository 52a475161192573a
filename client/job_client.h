#ifndef QUANTRY_CLIENT_JOB_CLIENT_H_
#define QUANTRY_CLIENT_JOB_CLIENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/transfer/backoff.h"
#include "grpcpp/channel.h"
#include "quantry/v1/capabilities.grpc.pb.h"
#include "quantry/v1/job_service.grpc.pb.h"

namespace quantry::client {

struct JobClientOptions {
  absl::Duration call_timeout = absl::Seconds(30);  // of one try; > 0
  // How calls are repeated while the server is away (UNAVAILABLE).
  RetryOptions retry = {.give_up_after = absl::Seconds(5)};
};

// Quantry's jobs, for C++ programs: blocking calls with errors as Status. The google.rpc details of
// an error are its payloads (DetailOf<google::rpc::BadRequest>(status), ReasonOf(status) in
// client/transfer/grpc_status.h). Calls are repeated while the server is away. Thread-safe.
//
//   JobClient client(MakeChannel("localhost:7070"));
//   v1::CreateJobRequest request = ...;
//   absl::StatusOr<v1::Job> job = client.CreateJob(std::move(request));
//   absl::Status done = JobWatcher(client, job->name()).Run([](const v1::Event& event) {...});
class JobClient {
 public:
  explicit JobClient(std::shared_ptr<grpc::Channel> channel, JobClientOptions options = {});

  // Submits a job. An empty request_id is filled in, so that repeats never make a second job.
  absl::StatusOr<v1::Job> CreateJob(v1::CreateJobRequest request) const;
  // `job` is "jobs/ID" in all calls (see JobName).
  absl::StatusOr<v1::Job> GetJob(absl::string_view job) const;
  absl::StatusOr<v1::ListJobsResponse> ListJobs(const v1::ListJobsRequest& request) const;
  absl::StatusOr<v1::Job> CancelJob(absl::string_view job) const;
  absl::StatusOr<v1::Job> PauseJob(absl::string_view job) const;
  absl::StatusOr<v1::Job> ResumeJob(absl::string_view job) const;
  absl::StatusOr<v1::Job> RetryJob(absl::string_view job) const;
  absl::StatusOr<v1::Job> DeleteJob(absl::string_view job) const;
  absl::StatusOr<v1::Job> UndeleteJob(absl::string_view job) const;
  absl::StatusOr<v1::Capabilities> GetCapabilities() const;

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  template <typename Response>
  absl::StatusOr<Response> Call(
      const std::function<grpc::Status(grpc::ClientContext*, Response*)>& call) const;

  // A call whose request is a job's name.
  template <typename Request>
  absl::StatusOr<v1::Job> CallFor(absl::string_view job,
                                  grpc::Status (v1::JobService::StubInterface::*method)(
                                      grpc::ClientContext*, const Request&, v1::Job*)) const;

  std::shared_ptr<grpc::Channel> channel_;
  JobClientOptions options_;
  std::unique_ptr<v1::JobService::StubInterface> jobs_;
  std::unique_ptr<v1::CapabilityService::StubInterface> capabilities_;
};

// "jobs/ID" from "jobs/ID" or "ID". INVALID_ARGUMENT: neither.
absl::StatusOr<std::string> JobName(absl::string_view job);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_JOB_CLIENT_H_
