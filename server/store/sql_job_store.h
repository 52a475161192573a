#ifndef QUANTRY_SERVER_STORE_SQL_JOB_STORE_H_
#define QUANTRY_SERVER_STORE_SQL_JOB_STORE_H_

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/store/job_store.h"
#include "server/store/sql_database.h"

namespace quantry::server {

class PostgresListener;

// The JobStore in a SQL database. Thread-safe.
class SqlJobStore final : public JobStore {
 public:
  // A store on a database of its own.
  static absl::StatusOr<std::unique_ptr<SqlJobStore>> OpenSqlite(const std::filesystem::path& path);
  static absl::StatusOr<std::unique_ptr<SqlJobStore>> OpenPostgres(const std::string& url);

  explicit SqlJobStore(std::shared_ptr<SqlDatabase> database);
  ~SqlJobStore() override;

  absl::StatusOr<JobRecord> Create(const JobChange& job,
                                   const std::optional<RequestKey>& key) override;
  absl::StatusOr<JobRecord> Get(const std::string& id) override;
  absl::StatusOr<std::vector<JobRecord>> List(const JobQuery& query) override;
  absl::StatusOr<JobRecord> Update(const std::string& id, Mutation mutation) override;
  absl::StatusOr<std::vector<std::string>> Purge(absl::Time now, int limit) override;
  absl::StatusOr<std::vector<v1::Event>> Events(const std::string& id, int64_t after,
                                                int limit) override;
  absl::StatusOr<std::vector<QueuedJob>> Queued(const DeviceView* device, int limit) override;
  absl::StatusOr<int64_t> CountAhead(int64_t rank) override;
  absl::StatusOr<int64_t> CountQueued(const std::string& name_space) override;
  absl::StatusOr<std::vector<std::string>> QueuedWithDeadline() override;
  absl::StatusOr<bool> SetDraining(const std::string& worker_id, bool draining) override;
  absl::StatusOr<std::map<v1::JobState, int64_t>> CountByState() override;
  absl::Status PutWorker(const v1::RegisterWorkerRequest& worker) override;
  absl::StatusOr<std::vector<StoredWorker>> Workers() override;

  bool IsShared() const override { return !database_->url().empty(); }
  absl::Status BeatLease(const std::string& id, int64_t epoch) override;
  absl::Status BeatWorker(const std::string& worker_id) override;
  absl::StatusOr<std::vector<StoredLease>> Leases() override;
  absl::Status Listen(std::function<void(const Change&)> on_change) override;
  void StopListening() override;

  absl::StatusOr<bool> IsReferenced(const std::string& sha256) override;
  absl::StatusOr<bool> BeginBlobRemoval(const std::string& sha256) override;
  absl::Status EndBlobRemoval(const std::string& sha256) override;

 private:
  // The first column of a statement's rows.
  absl::StatusOr<std::vector<std::string>> ReadTexts(const std::string& sql,
                                                     absl::FunctionRef<void(SqlStatement&)> bind);
  absl::StatusOr<int64_t> ReadNumber(const std::string& sql,
                                     absl::FunctionRef<void(SqlStatement&)> bind);

  const std::shared_ptr<SqlDatabase> database_;
  const std::string origin_;  // tells this server's notices from others'
  std::unique_ptr<PostgresListener> listener_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQL_JOB_STORE_H_
