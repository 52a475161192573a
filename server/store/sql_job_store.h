#ifndef QUANTRY_SERVER_STORE_SQL_JOB_STORE_H_
#define QUANTRY_SERVER_STORE_SQL_JOB_STORE_H_

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/store/group_committer.h"
#include "server/store/job_store.h"
#include "server/store/sql_connection.h"

namespace quantry::server {

class PostgresListener;

// The JobStore, in a SQLite file or a PostgreSQL database: the SQL is written once, what differs is
// in SqlConnection. One writer at a time in each server, several readers beside it. Thread-safe.
class SqlJobStore final : public JobStore {
 public:
  // Opens or makes the SQLite file and migrates its schema. One server at a time may use it.
  static absl::StatusOr<std::unique_ptr<SqlJobStore>> OpenSqlite(const std::filesystem::path& path);

  // Connects to the PostgreSQL database of a libpq URL and migrates its schema. Several servers may
  // use it.
  static absl::StatusOr<std::unique_ptr<SqlJobStore>> OpenPostgres(const std::string& url);

  ~SqlJobStore() override;

  absl::StatusOr<JobRecord> Create(const JobChange& job,
                                   const std::optional<RequestKey>& key) override;
  absl::StatusOr<JobRecord> Get(const std::string& id) override;
  absl::StatusOr<std::vector<JobRecord>> List(const JobQuery& query) override;
  absl::StatusOr<JobRecord> Update(const std::string& id, Mutation mutation) override;
  absl::StatusOr<std::vector<std::string>> Purge(absl::Time now, int limit) override;
  absl::StatusOr<std::vector<v1::Event>> Events(const std::string& id, int64_t after,
                                                int limit) override;
  absl::StatusOr<std::vector<QueuedJob>> Queued(const std::string& device_kind, int limit) override;
  absl::StatusOr<int64_t> CountAhead(int32_t priority, const std::string& id) override;
  absl::StatusOr<std::map<v1::JobState, int64_t>> CountByState() override;
  absl::Status PutWorker(const v1::RegisterWorkerRequest& worker) override;
  absl::StatusOr<std::vector<StoredWorker>> Workers() override;

  bool IsShared() const override { return !url_.empty(); }
  absl::Status BeatLease(const std::string& id, int64_t epoch) override;
  absl::Status BeatWorker(const std::string& worker_id) override;
  absl::StatusOr<std::vector<StoredLease>> Leases() override;
  absl::Status Listen(std::function<void(const Change&)> on_change) override;

  absl::StatusOr<bool> IsReferenced(const std::string& sha256) override;
  absl::StatusOr<bool> BeginBlobRemoval(const std::string& sha256) override;
  absl::Status EndBlobRemoval(const std::string& sha256) override;

 private:
  using Connections = std::vector<std::unique_ptr<SqlConnection>>;
  // May run twice, the second time from the start.
  using Reading = absl::FunctionRef<absl::Status(SqlConnection&)>;

  SqlJobStore(std::unique_ptr<SqlConnection> writer, Connections readers, std::string url);

  // Runs `reading` on a reader connection, waiting for a free one.
  absl::Status Read(Reading reading) ABSL_LOCKS_EXCLUDED(readers_mutex_);

  // Calls `take` for each row of a statement that `bind` has filled in.
  absl::Status ReadRows(const std::string& sql, SqlConnection::Keep keep,
                        absl::FunctionRef<void(SqlStatement&)> bind,
                        absl::FunctionRef<void()> reset,
                        absl::FunctionRef<absl::Status(SqlStatement&)> take);

  const std::unique_ptr<SqlConnection> writer_;
  const std::string url_;     // of PostgreSQL; empty for SQLite
  const std::string origin_;  // tells this server's notices from others'
  GroupCommitter committer_;
  absl::Mutex readers_mutex_;
  Connections free_readers_ ABSL_GUARDED_BY(readers_mutex_);
  std::unique_ptr<PostgresListener> listener_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQL_JOB_STORE_H_
