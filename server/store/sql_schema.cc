#include "server/store/sql_schema.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/namespace.h"
#include "server/store/sql_rows.h"

namespace quantry::server {
namespace {

// Migration i takes the schema from version i to i + 1. Released ones never change. They are
// written in SQLite's words; SqlConnection::TranslateSchema knows what other databases call things.
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
    // What jobs are searched and ordered by, what several servers tell each other, and which blobs
    // are needed. Rows of version 1 get the new columns' values from RewriteJobs.
    R"sql(
ALTER TABLE jobs ADD COLUMN namespace TEXT NOT NULL DEFAULT 'default';
ALTER TABLE jobs ADD COLUMN mode INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN worker TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN create_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN update_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN end_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN delete_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN purge_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN lease_beat INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN backoff INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN uncounted_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN queue_rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN queue_deadline INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN device_memory INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN device_count INTEGER NOT NULL DEFAULT 1;
DROP INDEX jobs_by_state;
CREATE INDEX jobs_by_rank ON jobs (state, queue_rank DESC);
CREATE INDEX jobs_by_queue ON jobs (state, namespace, queue_rank DESC, id);
CREATE INDEX jobs_by_deadline ON jobs (state) WHERE queue_deadline > 0;
CREATE TABLE quotas (
  namespace TEXT PRIMARY KEY,
  quota BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX jobs_by_namespace ON jobs (namespace, id);
CREATE INDEX jobs_by_update ON jobs (update_time, id);
CREATE INDEX jobs_by_end ON jobs (end_time, id);
CREATE INDEX jobs_by_priority ON jobs (priority, id);
CREATE INDEX jobs_by_purge ON jobs (purge_time) WHERE purge_time > 0;
CREATE INDEX requests_by_job ON requests (job_id);
CREATE TABLE job_labels (
  job_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (job_id, name)
) WITHOUT ROWID;
CREATE INDEX job_labels_by_name ON job_labels (name, value);
CREATE TABLE job_blobs (
  job_id TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (job_id, sha256)
) WITHOUT ROWID;
CREATE INDEX job_blobs_by_sha256 ON job_blobs (sha256);
CREATE TABLE blob_removals (
  sha256 TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  sha256 TEXT NOT NULL,
  principal TEXT NOT NULL,
  role INTEGER NOT NULL,
  namespaces TEXT NOT NULL,
  create_time INTEGER NOT NULL,
  expire_time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_by_sha256 ON tokens (sha256);
UPDATE requests SET request_id = 'default/' || request_id;
ALTER TABLE workers ADD COLUMN beat INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN draining INTEGER NOT NULL DEFAULT 0;
)sql",
};
constexpr int64_t kVersion = std::size(kMigrations);

absl::Status CheckVersion(int64_t version) {
  if (version <= kVersion) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition, "SCHEMA_TOO_NEW",
      absl::StrCat("the database has schema version ", version,
                   ", made by a newer release; this one knows versions up to ", kVersion));
}

// Version 2: fills in the columns and tables that are derived from each job's message.
absl::Status RewriteJobs(SqlConnection& connection) {
  std::vector<std::string> ids;
  {
    SqlStatement rows = connection.Prepare("SELECT id FROM jobs ORDER BY id");
    while (true) {
      QUANTRY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) break;
      ids.push_back(rows.Bytes(0));
    }
  }
  for (const std::string& id : ids) {
    QUANTRY_ASSIGN_OR_RETURN(JobRecord record, SelectJob(connection, id));
    record.job.set_namespace_(std::string(kDefaultNamespace));
    QUANTRY_RETURN_IF_ERROR(InsertLabels(connection, record));
    QUANTRY_RETURN_IF_ERROR(UpdateJob(connection, JobRecord(), record));
  }
  return absl::OkStatus();
}

// Takes the schema one version further, inside the caller's transaction. False: it is the newest.
absl::StatusOr<bool> MigrateOnce(SqlConnection& connection) {
  QUANTRY_RETURN_IF_ERROR(connection.LockSchema());
  QUANTRY_ASSIGN_OR_RETURN(const int64_t version, connection.SchemaVersion());
  QUANTRY_RETURN_IF_ERROR(CheckVersion(version));
  if (version == kVersion) return false;
  const std::string what = absl::StrCat("migration to schema version ", version + 1);
  QUANTRY_RETURN_IF_ERROR(
      WithContext(connection.Execute(connection.TranslateSchema(kMigrations[version])), what));
  if (version == 1) QUANTRY_RETURN_IF_ERROR(WithContext(RewriteJobs(connection), what));
  QUANTRY_RETURN_IF_ERROR(WithContext(connection.SetSchemaVersion(version + 1), what));
  return true;
}

}  // namespace

absl::Status MigrateSchema(SqlConnection& connection) {
  while (true) {
    QUANTRY_RETURN_IF_ERROR(connection.Begin());
    const absl::StatusOr<bool> migrated = MigrateOnce(connection);
    if (!migrated.ok()) {
      if (connection.TransactionState() != SqlConnection::Transaction::kNone) {
        connection.Execute("ROLLBACK").IgnoreError();
      }
      return migrated.status();
    }
    QUANTRY_RETURN_IF_ERROR(connection.Execute("COMMIT"));
    if (!*migrated) return absl::OkStatus();
  }
}

}  // namespace quantry::server
