#ifndef QUANTRY_SERVER_RPC_JOB_CONTROLLER_H_
#define QUANTRY_SERVER_RPC_JOB_CONTROLLER_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quantry/v1/job_service.pb.h"
#include "server/core/job_id.h"
#include "server/core/job_record.h"
#include "server/core/principal.h"
#include "server/rpc/control_state.h"

namespace quantry::server {

// What clients ask for, between the gRPC services and the store. Errors are those that
// job_service.proto names; a principal that is restricted to namespaces learns nothing of others.
// Thread-safe.
class JobController {
 public:
  // `state` must outlive this. `retention`: how long deleted jobs are kept.
  JobController(ControlState& state, absl::Duration retention, uint64_t seed)
      : state_(state), retention_(retention), ids_(seed) {}

  absl::StatusOr<v1::Job> CreateJob(const v1::CreateJobRequest& request, const Principal& who);
  absl::StatusOr<v1::Job> GetJob(const v1::GetJobRequest& request, const Principal& who);
  absl::StatusOr<v1::ListJobsResponse> ListJobs(const v1::ListJobsRequest& request,
                                                const Principal& who);
  absl::StatusOr<v1::Job> CancelJob(const v1::CancelJobRequest& request, const Principal& who);
  absl::StatusOr<v1::Job> PauseJob(const v1::PauseJobRequest& request, const Principal& who);
  absl::StatusOr<v1::Job> ResumeJob(const v1::ResumeJobRequest& request, const Principal& who);
  absl::StatusOr<v1::Job> RetryJob(const v1::RetryJobRequest& request, const Principal& who);
  absl::StatusOr<v1::Job> DeleteJob(const v1::DeleteJobRequest& request, const Principal& who);
  absl::StatusOr<v1::Job> UndeleteJob(const v1::UndeleteJobRequest& request, const Principal& who);

  // Removes deleted jobs whose purge_time has come. Call now and then.
  void Purge();

  // Sends the job's events after request.after_sequence to `send`, then new ones as they come,
  // until the terminal one. CANCELLED if `send` returns false or `is_cancelled` true; UNAVAILABLE
  // with RetryInfo on shutdown; OUT_OF_RANGE for a number that the job has not reached.
  absl::Status WatchJob(const v1::WatchJobRequest& request, const Principal& who,
                        absl::FunctionRef<bool(const v1::Event&)> send,
                        absl::FunctionRef<bool()> is_cancelled);

 private:
  using Verb = absl::FunctionRef<absl::Status(JobChange&, absl::Time now)>;

  // Applies a client's wish to the job `name` and tells who must know.
  absl::StatusOr<v1::Job> Apply(const std::string& name, const Principal& who, const char* verb,
                                Verb change);

  // The job, if `who` may see it; JobNotVisible or NOT_FOUND otherwise.
  absl::StatusOr<JobRecord> Find(const std::string& id, const Principal& who);

  // The SHA-256 of the file that the job starts from, a model or a builtin model's weights; empty
  // for a builtin model without.
  absl::StatusOr<std::string> ResolveModel(const v1::ModelSource& source, const Principal& who);
  absl::Status CheckModelBlob(const std::string& sha256);
  absl::Status CheckWeightsBlob(const std::string& sha256);

  // RESOURCE_EXHAUSTED if as many jobs of the namespace wait as may.
  absl::Status CheckWaiting(const std::string& name_space);

  // Counting who is ahead takes time that grows with the queue: lists do without.
  enum class Position { kCounted, kNotCounted };

  // The public resource: for a queued job with its position and why it waits.
  absl::StatusOr<v1::Job> Present(const JobRecord& record, Position position = Position::kCounted);

  ControlState& state_;
  const absl::Duration retention_;
  JobIdGenerator ids_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_JOB_CONTROLLER_H_
