#include "server/store/sql_database.h"

#include <utility>

#include "common/status_macros.h"
#include "server/store/postgres_connection.h"
#include "server/store/sql_schema.h"
#include "server/store/sqlite_connection.h"

namespace quantry::server {
namespace {

constexpr int kReaders = 4;

}  // namespace

absl::StatusOr<std::shared_ptr<SqlDatabase>> SqlDatabase::OpenSqlite(
    const std::filesystem::path& path) {
  using Access = SqliteConnection::Access;
  QUANTRY_ASSIGN_OR_RETURN(auto writer, SqliteConnection::Open(path, Access::kReadWrite));
  QUANTRY_RETURN_IF_ERROR(WithContext(MigrateSchema(*writer), path.string()));
  Connections readers;
  for (int i = 0; i < kReaders; ++i) {
    QUANTRY_ASSIGN_OR_RETURN(auto reader, SqliteConnection::Open(path, Access::kReadOnly));
    readers.push_back(std::move(reader));
  }
  return std::shared_ptr<SqlDatabase>(new SqlDatabase(std::move(writer), std::move(readers), ""));
}

absl::StatusOr<std::shared_ptr<SqlDatabase>> SqlDatabase::OpenPostgres(const std::string& url) {
  QUANTRY_ASSIGN_OR_RETURN(auto writer, PostgresConnection::Open(url));
  QUANTRY_RETURN_IF_ERROR(MigrateSchema(*writer));
  Connections readers;
  for (int i = 0; i < kReaders; ++i) {
    QUANTRY_ASSIGN_OR_RETURN(auto reader, PostgresConnection::Open(url));
    readers.push_back(std::move(reader));
  }
  return std::shared_ptr<SqlDatabase>(new SqlDatabase(std::move(writer), std::move(readers), url));
}

SqlDatabase::SqlDatabase(std::unique_ptr<SqlConnection> writer, Connections readers,
                         std::string url)
    : writer_(std::move(writer)),
      url_(std::move(url)),
      committer_(*writer_),
      free_readers_(std::move(readers)) {}

absl::Status SqlDatabase::Read(Operation reading) {
  std::unique_ptr<SqlConnection> connection;
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](Connections* free) { return !free->empty(); }, &free_readers_));
    connection = std::move(free_readers_.back());
    free_readers_.pop_back();
  }
  absl::Status status = reading(*connection);
  if (!status.ok() && connection->IsLost() && connection->Reconnect().ok()) {
    status = reading(*connection);
  }
  absl::MutexLock lock(&mutex_);
  free_readers_.push_back(std::move(connection));
  return status;
}

absl::Status SqlDatabase::ReadRows(const std::string& sql, SqlConnection::Keep keep,
                                   absl::FunctionRef<void(SqlStatement&)> bind,
                                   absl::FunctionRef<void()> reset,
                                   absl::FunctionRef<absl::Status(SqlStatement&)> take) {
  return Read([&](SqlConnection& connection) -> absl::Status {
    reset();
    SqlStatement rows = connection.Prepare(sql, keep);
    bind(rows);
    while (true) {
      QUANTRY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) return absl::OkStatus();
      QUANTRY_RETURN_IF_ERROR(take(rows));
    }
  });
}

}  // namespace quantry::server
