#ifndef QUANTRY_SERVER_STORE_MEMORY_JOB_STORE_H_
#define QUANTRY_SERVER_STORE_MEMORY_JOB_STORE_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/store/job_store.h"

namespace quantry::server {

// A JobStore that ends with the process: for tests. Thread-safe.
class MemoryJobStore final : public JobStore {
 public:
  absl::StatusOr<JobRecord> Create(const JobChange& job,
                                   const std::optional<RequestKey>& key) override;
  absl::StatusOr<JobRecord> Get(const std::string& id) override;
  absl::StatusOr<std::vector<JobRecord>> List(const Query& query) override;
  absl::StatusOr<JobRecord> Update(const std::string& id, Mutation mutation) override;
  absl::StatusOr<std::vector<v1::Event>> Events(const std::string& id, int64_t after,
                                                int limit) override;
  absl::StatusOr<std::vector<QueuedJob>> Queued(const std::string& device_kind, int limit) override;
  absl::StatusOr<int64_t> CountAhead(int32_t priority, const std::string& id) override;
  absl::StatusOr<std::map<v1::JobState, int64_t>> CountByState() override;
  absl::Status PutWorker(const v1::RegisterWorkerRequest& worker) override;
  absl::StatusOr<std::vector<v1::RegisterWorkerRequest>> Workers() override;

 private:
  struct Stored {
    JobRecord record;
    std::vector<v1::Event> events;
  };
  struct Request {
    std::string body_sha256;
    std::string job_id;
  };

  absl::Mutex mutex_;
  std::map<std::string, Stored> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Request> requests_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::RegisterWorkerRequest> workers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_MEMORY_JOB_STORE_H_
