#ifndef QUANTRY_SERVER_STORE_SQL_DATABASE_H_
#define QUANTRY_SERVER_STORE_SQL_DATABASE_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/store/group_committer.h"
#include "server/store/sql_connection.h"

namespace quantry::server {

// A SQLite file or a PostgreSQL database with this release's schema: one writer, several readers
// beside it. What differs between the two is in SqlConnection. Thread-safe.
class SqlDatabase {
 public:
  using Operation = absl::FunctionRef<absl::Status(SqlConnection&)>;

  // Opens or makes the SQLite file and migrates its schema. One server at a time may use it.
  static absl::StatusOr<std::shared_ptr<SqlDatabase>> OpenSqlite(const std::filesystem::path& path);

  // Connects to the PostgreSQL database of a libpq URL and migrates its schema. Several servers may
  // use it.
  static absl::StatusOr<std::shared_ptr<SqlDatabase>> OpenPostgres(const std::string& url);

  // Runs `writing` in a transaction that is durable when this returns OK; may run it several times,
  // of which the last counts.
  absl::Status Write(Operation writing) { return committer_.Run(writing); }

  // Runs `reading` on a reader connection, waiting for a free one; may run it twice.
  absl::Status Read(Operation reading) ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls `take` for each row of a statement that `bind` has filled in, after `reset`, which
  // forgets what an earlier run took.
  absl::Status ReadRows(const std::string& sql, SqlConnection::Keep keep,
                        absl::FunctionRef<void(SqlStatement&)> bind,
                        absl::FunctionRef<void()> reset,
                        absl::FunctionRef<absl::Status(SqlStatement&)> take);

  // URL of a database that several servers may share; empty: SQLite.
  const std::string& url() const { return url_; }

 private:
  using Connections = std::vector<std::unique_ptr<SqlConnection>>;

  SqlDatabase(std::unique_ptr<SqlConnection> writer, Connections readers, std::string url);

  const std::unique_ptr<SqlConnection> writer_;
  const std::string url_;
  GroupCommitter committer_;
  absl::Mutex mutex_;
  Connections free_readers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQL_DATABASE_H_
