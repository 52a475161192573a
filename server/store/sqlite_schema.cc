#include "server/store/sqlite_schema.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

// Migration i takes the schema from version i to i + 1. Released ones never change.
constexpr const char* kMigrations[] = {
    // `job` is quantry.v1.Job; the columns beside it are what the server searches by or keeps to
    // itself. Times are microseconds since 1970.
    R"sql(
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  state INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  device_kind TEXT NOT NULL,
  job BLOB NOT NULL,
  model_blob TEXT NOT NULL,
  lease_epoch INTEGER NOT NULL,
  lease_device TEXT NOT NULL,
  finished_epoch INTEGER NOT NULL,
  next_event_number INTEGER NOT NULL,
  crashed_workers TEXT NOT NULL,
  queued_since INTEGER NOT NULL,
  attempt_start INTEGER NOT NULL,
  run_time INTEGER NOT NULL
);
CREATE INDEX jobs_by_state ON jobs (state, priority DESC, id);
CREATE TABLE events (
  job_id TEXT NOT NULL REFERENCES jobs (id),
  sequence INTEGER NOT NULL,
  event BLOB NOT NULL,
  PRIMARY KEY (job_id, sequence)
) WITHOUT ROWID;
CREATE TABLE requests (
  request_id TEXT PRIMARY KEY,
  body_sha256 TEXT NOT NULL,
  job_id TEXT NOT NULL REFERENCES jobs (id)
) WITHOUT ROWID;
CREATE TABLE workers (
  id TEXT PRIMARY KEY,
  registration BLOB NOT NULL
) WITHOUT ROWID;
)sql",
};
constexpr int64_t kVersion = std::size(kMigrations);

absl::StatusOr<int64_t> ReadVersion(SqliteConnection& connection) {
  SqliteStatement statement = connection.Prepare("PRAGMA user_version");
  QUANTRY_RETURN_IF_ERROR(statement.Step().status());
  return statement.Int(0);
}

}  // namespace

absl::Status MigrateSqlite(SqliteConnection& connection) {
  QUANTRY_ASSIGN_OR_RETURN(const int64_t version, ReadVersion(connection));
  if (version > kVersion) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "SCHEMA_TOO_NEW",
        absl::StrCat("the database has schema version ", version,
                     ", made by a newer release; this one knows versions up to ", kVersion));
  }
  for (int64_t from = version; from < kVersion; ++from) {
    const std::string sql = absl::StrCat("BEGIN IMMEDIATE;", kMigrations[from],
                                         "PRAGMA user_version=", from + 1, ";COMMIT;");
    if (absl::Status status = connection.Execute(sql); !status.ok()) {
      connection.Execute("ROLLBACK").IgnoreError();
      return WithContext(status, absl::StrCat("migration to schema version ", from + 1));
    }
  }
  return absl::OkStatus();
}

}  // namespace quantry::server
