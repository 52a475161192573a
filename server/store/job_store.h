#ifndef QUANTRY_SERVER_STORE_JOB_STORE_H_
#define QUANTRY_SERVER_STORE_JOB_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "quantry/v1/event.pb.h"
#include "quantry/v1/worker_service.pb.h"
#include "server/core/job_query.h"
#include "server/core/job_record.h"
#include "server/core/lease_table.h"
#include "server/core/scheduling.h"
#include "server/core/worker_table.h"

namespace quantry::server {

// Where jobs, their events and the workers are kept. Every write is one transaction and is durable
// when it returns OK; a write that fails leaves nothing behind. All methods are thread-safe.
// Errors: NOT_FOUND for a job that does not exist; RESOURCE_EXHAUSTED when the disk is full;
// UNAVAILABLE for an I/O error or a database that can't be reached, DATA_LOSS for a broken one.
class JobStore {
 public:
  // Protects a submit against repeats: the client's request_id and a hash of what it asks for.
  struct RequestKey {
    std::string request_id;
    std::string body_sha256;
  };

  // What another server has changed.
  struct Change {
    std::string job_id;   // empty: anything may have changed
    bool queued = false;  // the job waits for a worker now
  };

  // Changes a job's record and adds events, whose numbers follow the stored ones without a gap.
  // Runs inside the transaction, maybe several times, of which the last counts, and maybe on
  // another thread; must not call the store. An error aborts.
  using Mutation = absl::FunctionRef<absl::Status(JobChange&)>;

  virtual ~JobStore() = default;

  // Stores a new job with its first events. If `key` was used before, returns the job that it made;
  // INVALID_ARGUMENT with reason REQUEST_ID_REUSED if that was for another body.
  // FAILED_PRECONDITION with reason BLOB_MISSING if the job's blob is being removed.
  virtual absl::StatusOr<JobRecord> Create(const JobChange& job,
                                           const std::optional<RequestKey>& key) = 0;

  virtual absl::StatusOr<JobRecord> Get(const std::string& id) = 0;

  virtual absl::StatusOr<std::vector<JobRecord>> List(const JobQuery& query) = 0;

  // Reads the job, applies `mutation` and stores the outcome, which it returns.
  virtual absl::StatusOr<JobRecord> Update(const std::string& id, Mutation mutation) = 0;

  // Removes jobs whose purge_time is not after `now` with all that belongs to them, at most
  // `limit`; returns their ids.
  virtual absl::StatusOr<std::vector<std::string>> Purge(absl::Time now, int limit) = 0;

  // The job's events with a sequence larger than `after`, in order, at most `limit`.
  virtual absl::StatusOr<std::vector<v1::Event>> Events(const std::string& id, int64_t after,
                                                        int limit) = 0;

  // The first `limit` queued jobs of each namespace, by rank, that a device of this kind and memory
  // may run; `device` null: that any may.
  virtual absl::StatusOr<std::vector<QueuedJob>> Queued(const DeviceView* device, int limit) = 0;

  // How many queued jobs have a larger rank.
  virtual absl::StatusOr<int64_t> CountAhead(int64_t rank) = 0;

  // How many jobs of the namespace are queued.
  virtual absl::StatusOr<int64_t> CountQueued(const std::string& name_space) = 0;

  // Ids of queued jobs that have a deadline for their first lease.
  virtual absl::StatusOr<std::vector<std::string>> QueuedWithDeadline() = 0;

  // States without jobs are left out.
  virtual absl::StatusOr<std::map<v1::JobState, int64_t>> CountByState() = 0;

  // Adds or replaces a worker.
  virtual absl::Status PutWorker(const v1::RegisterWorkerRequest& worker) = 0;
  virtual absl::StatusOr<std::vector<StoredWorker>> Workers() = 0;
  // False: there is no such worker.
  virtual absl::StatusOr<bool> SetDraining(const std::string& worker_id, bool draining) = 0;

  // Several servers may share one store. Each then notes signs of life here, where the others see
  // that they go on, and watches those of others; nothing in it depends on anybody's wall clock.
  virtual bool IsShared() const = 0;
  // Notes that the lease was renewed; nothing happens if it is over.
  virtual absl::Status BeatLease(const std::string& id, int64_t epoch) = 0;
  virtual absl::Status BeatWorker(const std::string& worker_id) = 0;
  // All leases that workers hold.
  virtual absl::StatusOr<std::vector<StoredLease>> Leases() = 0;
  // Calls `on_change`, from a thread of the store's, when another server has changed something,
  // until the store's end. Call at most once. Does nothing for a store that is not shared.
  virtual absl::Status Listen(std::function<void(const Change&)> on_change) = 0;
  // When this returns, `on_change` is not called any more.
  virtual void StopListening() = 0;

  // Whether a job needs the blob.
  virtual absl::StatusOr<bool> IsReferenced(const std::string& sha256) = 0;
  // Marks a blob that no job needs, so that none can begin to need it until the removal ends.
  // False: a job needs it.
  virtual absl::StatusOr<bool> BeginBlobRemoval(const std::string& sha256) = 0;
  virtual absl::Status EndBlobRemoval(const std::string& sha256) = 0;
};

// The errors that every implementation gives.
absl::Status JobNotFound(absl::string_view id);
absl::Status RequestIdReused(absl::string_view request_id);
absl::Status BlobIsBeingRemoved(absl::string_view sha256);

// INTERNAL unless the change's events continue `last_sequence` without a gap.
absl::Status CheckSequences(const JobChange& change, int64_t last_sequence);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_JOB_STORE_H_
