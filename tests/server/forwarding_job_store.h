#ifndef QUANTRY_TESTS_SERVER_FORWARDING_JOB_STORE_H_
#define QUANTRY_TESTS_SERVER_FORWARDING_JOB_STORE_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/store/job_store.h"

namespace quantry::server {

// Hands every call to another store: for tests that step in between.
class ForwardingJobStore : public JobStore {
 public:
  explicit ForwardingJobStore(JobStore& store) : store_(store) {}

  absl::StatusOr<JobRecord> Create(const JobChange& job,
                                   const std::optional<RequestKey>& key) override {
    return store_.Create(job, key);
  }
  absl::StatusOr<JobRecord> Get(const std::string& id) override { return store_.Get(id); }
  absl::StatusOr<std::vector<JobRecord>> List(const JobQuery& query) override {
    return store_.List(query);
  }
  absl::StatusOr<JobRecord> Update(const std::string& id, Mutation mutation) override {
    return store_.Update(id, mutation);
  }
  absl::StatusOr<std::vector<std::string>> Purge(absl::Time now, int limit) override {
    return store_.Purge(now, limit);
  }
  absl::StatusOr<std::vector<v1::Event>> Events(const std::string& id, int64_t after,
                                                int limit) override {
    return store_.Events(id, after, limit);
  }
  absl::StatusOr<std::vector<QueuedJob>> Queued(const DeviceView* device, int limit) override {
    return store_.Queued(device, limit);
  }
  absl::StatusOr<int64_t> CountAhead(int64_t rank) override { return store_.CountAhead(rank); }
  absl::StatusOr<int64_t> CountQueued(const std::string& name_space) override {
    return store_.CountQueued(name_space);
  }
  absl::StatusOr<std::vector<std::string>> QueuedWithDeadline() override {
    return store_.QueuedWithDeadline();
  }
  absl::StatusOr<bool> SetDraining(const std::string& worker_id, bool draining) override {
    return store_.SetDraining(worker_id, draining);
  }
  absl::StatusOr<std::map<v1::JobState, int64_t>> CountByState() override {
    return store_.CountByState();
  }
  absl::Status PutWorker(const v1::RegisterWorkerRequest& worker) override {
    return store_.PutWorker(worker);
  }
  absl::StatusOr<std::vector<StoredWorker>> Workers() override { return store_.Workers(); }
  bool IsShared() const override { return store_.IsShared(); }
  absl::Status BeatLease(const std::string& id, int64_t epoch) override {
    return store_.BeatLease(id, epoch);
  }
  absl::Status BeatWorker(const std::string& worker_id) override {
    return store_.BeatWorker(worker_id);
  }
  absl::StatusOr<std::vector<StoredLease>> Leases() override { return store_.Leases(); }
  absl::Status Listen(std::function<void(const Change&)> on_change) override {
    return store_.Listen(std::move(on_change));
  }
  void StopListening() override { store_.StopListening(); }
  absl::StatusOr<bool> IsReferenced(const std::string& sha256) override {
    return store_.IsReferenced(sha256);
  }
  absl::StatusOr<bool> BeginBlobRemoval(const std::string& sha256) override {
    return store_.BeginBlobRemoval(sha256);
  }
  absl::Status EndBlobRemoval(const std::string& sha256) override {
    return store_.EndBlobRemoval(sha256);
  }

 private:
  JobStore& store_;
};

}  // namespace quantry::server

#endif  // QUANTRY_TESTS_SERVER_FORWARDING_JOB_STORE_H_
