#ifndef QUANTRY_SERVER_STORE_JOB_STORE_H_
#define QUANTRY_SERVER_STORE_JOB_STORE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quantry/v1/event.pb.h"
#include "quantry/v1/worker_service.pb.h"
#include "server/core/job_record.h"
#include "server/core/scheduling.h"

namespace quantry::server {

// Where jobs, their events and the workers are kept. Every write is one transaction and is durable
// when it returns OK; a write that fails leaves nothing behind. All methods are thread-safe.
// Errors: NOT_FOUND for a job that does not exist; RESOURCE_EXHAUSTED when the disk is full;
// UNAVAILABLE for an I/O error, DATA_LOSS for a broken database.
class JobStore {
 public:
  // Protects a submit against repeats: the client's request_id and a hash of what it asks for.
  struct RequestKey {
    std::string request_id;
    std::string body_sha256;
  };

  // Which jobs ListJobs returns.
  struct Query {
    std::vector<v1::JobState> states;      // empty: all; repeats count once
    std::optional<std::string> before_id;  // only smaller ids, that is older jobs
    int limit = 50;
  };

  // Changes a job's record and adds events, whose numbers follow the stored ones without a gap.
  // Runs inside the transaction, maybe on another thread; must not call the store. An error aborts.
  using Mutation = absl::FunctionRef<absl::Status(JobChange&)>;

  virtual ~JobStore() = default;

  // Stores a new job with its first events. If `key` was used before, returns the job that it made;
  // INVALID_ARGUMENT with reason REQUEST_ID_REUSED if that was for another body.
  virtual absl::StatusOr<JobRecord> Create(const JobChange& job,
                                           const std::optional<RequestKey>& key) = 0;

  virtual absl::StatusOr<JobRecord> Get(const std::string& id) = 0;

  // Newest (largest id) first.
  virtual absl::StatusOr<std::vector<JobRecord>> List(const Query& query) = 0;

  // Reads the job, applies `mutation` and stores the outcome, which it returns.
  virtual absl::StatusOr<JobRecord> Update(const std::string& id, Mutation mutation) = 0;

  // The job's events with a sequence larger than `after`, in order, at most `limit`.
  virtual absl::StatusOr<std::vector<v1::Event>> Events(const std::string& id, int64_t after,
                                                        int limit) = 0;

  // The first `limit` queued jobs that a device of this kind may run, by priority, then age.
  // not_before is not filled in: it is the caller's.
  virtual absl::StatusOr<std::vector<QueuedJob>> Queued(const std::string& device_kind,
                                                        int limit) = 0;

  // How many queued jobs come before this one, by priority, then age.
  virtual absl::StatusOr<int64_t> CountAhead(int32_t priority, const std::string& id) = 0;

  // States without jobs are left out.
  virtual absl::StatusOr<std::map<v1::JobState, int64_t>> CountByState() = 0;

  // Adds or replaces a worker.
  virtual absl::Status PutWorker(const v1::RegisterWorkerRequest& worker) = 0;
  virtual absl::StatusOr<std::vector<v1::RegisterWorkerRequest>> Workers() = 0;
};

// The errors that every implementation gives.
absl::Status JobNotFound(absl::string_view id);
absl::Status RequestIdReused(absl::string_view request_id);

// INTERNAL unless the change's events continue `last_sequence` without a gap.
absl::Status CheckSequences(const JobChange& change, int64_t last_sequence);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_JOB_STORE_H_
