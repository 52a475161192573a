#ifndef QUANTRY_SERVER_STORE_SQLITE_JOB_STORE_H_
#define QUANTRY_SERVER_STORE_SQLITE_JOB_STORE_H_

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/store/group_committer.h"
#include "server/store/job_store.h"
#include "server/store/sqlite_connection.h"

namespace quantry::server {

// A JobStore in one SQLite file. SQLite's own interface is used, not a layer over several
// databases: durability (WAL, synchronous=FULL, savepoints shared by a group commit) and the error
// codes that tell a full disk from a broken one are SQLite's alone. Another database is another
// JobStore, kept equal by the contract test suite. Thread-safe: one writer at a time, several
// readers beside it.
class SqliteJobStore final : public JobStore {
 public:
  // Opens or makes the database and migrates its schema.
  static absl::StatusOr<std::unique_ptr<SqliteJobStore>> Open(const std::filesystem::path& path);

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
  using Reading = absl::FunctionRef<absl::Status(SqliteConnection&)>;

  SqliteJobStore(std::unique_ptr<SqliteConnection> writer,
                 std::vector<std::unique_ptr<SqliteConnection>> readers);

  // Runs `reading` on a reader connection, waiting for a free one.
  absl::Status Read(Reading reading) ABSL_LOCKS_EXCLUDED(readers_mutex_);

  const std::unique_ptr<SqliteConnection> writer_;
  GroupCommitter committer_;
  absl::Mutex readers_mutex_;
  std::vector<std::unique_ptr<SqliteConnection>> free_readers_ ABSL_GUARDED_BY(readers_mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQLITE_JOB_STORE_H_
