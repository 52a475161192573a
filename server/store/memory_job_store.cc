#include "server/store/memory_job_store.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "common/status_macros.h"

namespace quantry::server {
namespace {

// Larger priority first, then older.
bool Before(const JobRecord& a, const JobRecord& b) {
  const int32_t a_priority = a.job.spec().priority();
  const int32_t b_priority = b.job.spec().priority();
  return a_priority != b_priority ? a_priority > b_priority : a.id < b.id;
}

}  // namespace

absl::StatusOr<JobRecord> MemoryJobStore::Create(const JobChange& job,
                                                 const std::optional<RequestKey>& key) {
  QUANTRY_RETURN_IF_ERROR(CheckSequences(job, 0));
  absl::MutexLock lock(&mutex_);
  if (key.has_value()) {
    const auto [found, fresh] =
        requests_.try_emplace(key->request_id, Request{key->body_sha256, job.record.id});
    if (!fresh && found->second.body_sha256 != key->body_sha256) {
      return RequestIdReused(key->request_id);
    }
    if (!fresh) return jobs_[found->second.job_id].record;
  }
  jobs_[job.record.id] = Stored{job.record, job.events};
  return job.record;
}

absl::StatusOr<JobRecord> MemoryJobStore::Get(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return JobNotFound(id);
  return found->second.record;
}

absl::StatusOr<std::vector<JobRecord>> MemoryJobStore::List(const Query& query) {
  absl::MutexLock lock(&mutex_);
  std::vector<JobRecord> list;
  for (auto entry = jobs_.rbegin(); entry != jobs_.rend(); ++entry) {
    if (static_cast<int>(list.size()) >= query.limit) break;
    if (query.before_id.has_value() && entry->first >= *query.before_id) continue;
    const JobRecord& record = entry->second.record;
    if (query.states.empty() || absl::c_linear_search(query.states, record.job.state())) {
      list.push_back(record);
    }
  }
  return list;
}

absl::StatusOr<JobRecord> MemoryJobStore::Update(const std::string& id, Mutation mutation) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return JobNotFound(id);
  Stored& stored = found->second;
  JobChange change{.record = stored.record};
  QUANTRY_RETURN_IF_ERROR(mutation(change));
  QUANTRY_RETURN_IF_ERROR(CheckSequences(change, stored.record.job.last_sequence()));
  stored.record = change.record;
  absl::c_move(change.events, std::back_inserter(stored.events));
  return std::move(change.record);
}

absl::StatusOr<std::vector<v1::Event>> MemoryJobStore::Events(const std::string& id, int64_t after,
                                                              int limit) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return JobNotFound(id);
  const std::vector<v1::Event>& all = found->second.events;
  const size_t begin = std::min(all.size(), static_cast<size_t>(after));
  const size_t end = std::min(all.size(), begin + static_cast<size_t>(limit));
  return std::vector<v1::Event>(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                all.begin() + static_cast<std::ptrdiff_t>(end));
}

absl::StatusOr<std::vector<QueuedJob>> MemoryJobStore::Queued(const std::string& device_kind,
                                                              int limit) {
  absl::MutexLock lock(&mutex_);
  std::vector<const JobRecord*> waiting;
  for (const auto& [id, stored] : jobs_) {
    const std::string& wanted = stored.record.job.spec().resources().device_kind();
    if (stored.record.job.state() == v1::JOB_STATE_QUEUED &&
        (wanted.empty() || wanted == device_kind)) {
      waiting.push_back(&stored.record);
    }
  }
  absl::c_sort(waiting, [](const JobRecord* a, const JobRecord* b) { return Before(*a, *b); });
  std::vector<QueuedJob> queued;
  for (const JobRecord* record : waiting) {
    if (static_cast<int>(queued.size()) >= limit) break;
    queued.push_back({.id = record->id,
                      .priority = record->job.spec().priority(),
                      .device_kind = record->job.spec().resources().device_kind(),
                      .crashed_workers = record->crashed_workers});
  }
  return queued;
}

absl::StatusOr<int64_t> MemoryJobStore::CountAhead(int32_t priority, const std::string& id) {
  absl::MutexLock lock(&mutex_);
  return absl::c_count_if(jobs_, [&](const auto& entry) {
    const v1::Job& job = entry.second.record.job;
    if (job.state() != v1::JOB_STATE_QUEUED) return false;
    return job.spec().priority() > priority ||
           (job.spec().priority() == priority && entry.first < id);
  });
}

absl::StatusOr<std::map<v1::JobState, int64_t>> MemoryJobStore::CountByState() {
  absl::MutexLock lock(&mutex_);
  std::map<v1::JobState, int64_t> counts;
  for (const auto& [id, stored] : jobs_) ++counts[stored.record.job.state()];
  return counts;
}

absl::Status MemoryJobStore::PutWorker(const v1::RegisterWorkerRequest& worker) {
  absl::MutexLock lock(&mutex_);
  workers_[worker.worker_id()] = worker;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::RegisterWorkerRequest>> MemoryJobStore::Workers() {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::RegisterWorkerRequest> all;
  for (const auto& [id, worker] : workers_) all.push_back(worker);
  return all;
}

}  // namespace quantry::server
