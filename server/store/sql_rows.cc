#include "server/store/sql_rows.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "server/core/scheduling.h"
#include "server/store/job_store.h"

namespace quantry::server {
namespace {

// All columns of a row, in the order that BindJob fills in.
constexpr const char* kColumns[] = {"id",
                                    "job",
                                    "model_blob",
                                    "lease_epoch",
                                    "lease_device",
                                    "finished_epoch",
                                    "next_event_number",
                                    "crashed_workers",
                                    "queued_since",
                                    "attempt_start",
                                    "run_time",
                                    "lease_beat",
                                    "backoff",
                                    "uncounted_attempts",
                                    "state",
                                    "priority",
                                    "device_kind",
                                    "namespace",
                                    "mode",
                                    "display_name",
                                    "attempt",
                                    "worker",
                                    "create_time",
                                    "update_time",
                                    "end_time",
                                    "delete_time",
                                    "purge_time",
                                    "queue_rank",
                                    "queue_deadline",
                                    "device_memory",
                                    "device_count"};

std::string InsertSql() {
  return absl::StrCat(
      "INSERT INTO jobs (", absl::StrJoin(kColumns, ", "), ") VALUES (",
      absl::StrJoin(kColumns, ", ",
                    [](std::string* out, const char*) { absl::StrAppend(out, "?"); }),
      ")");
}

// The id comes again at the end.
std::string UpdateSql() {
  return absl::StrCat("UPDATE jobs SET ",
                      absl::StrJoin(kColumns, ", ",
                                    [](std::string* out, const char* column) {
                                      absl::StrAppend(out, column, " = ?");
                                    }),
                      " WHERE id = ?");
}

int64_t Micros(bool has, const google::protobuf::Timestamp& time) {
  return has ? absl::ToUnixMicros(FromProto(time)) : 0;
}

void BindJob(SqlStatement& statement, const JobRecord& record) {
  const v1::Job& job = record.job;
  const v1::JobSpec& spec = job.spec();
  statement.BindText(record.id)
      .BindBlob(job.SerializeAsString())
      .BindText(record.model_blob)
      .BindInt(record.lease_epoch)
      .BindText(record.lease_device)
      .BindInt(record.finished_epoch)
      .BindInt(record.next_event_number)
      .BindText(JoinWorkers(record.crashed_workers))
      .BindInt(absl::ToUnixMicros(record.queued_since))
      .BindInt(absl::ToUnixMicros(record.attempt_start))
      .BindInt(absl::ToInt64Microseconds(record.run_time))
      .BindInt(record.lease_beat)
      .BindInt(record.backoff)
      .BindInt(record.uncounted_attempts)
      .BindInt(job.state())
      .BindInt(spec.priority())
      .BindText(spec.resources().device_kind())
      .BindText(job.namespace_())
      .BindInt(spec.mode())
      .BindText(spec.display_name())
      .BindInt(job.attempt())
      .BindText(job.worker())
      .BindInt(Micros(job.has_create_time(), job.create_time()))
      .BindInt(Micros(job.has_update_time(), job.update_time()))
      .BindInt(Micros(job.has_end_time(), job.end_time()))
      .BindInt(Micros(job.has_delete_time(), job.delete_time()))
      .BindInt(Micros(job.has_purge_time(), job.purge_time()))
      .BindInt(QueueRank(spec.priority(), record.queued_since))
      .BindInt(absl::ToInt64Microseconds(FromProto(spec.queue_deadline())))
      .BindInt(spec.resources().device_memory_bytes())
      .BindInt(std::max(1, spec.resources().device_count()));
}

// What must stay in the blob store as long as the job is there.
std::set<std::string> BlobsOf(const JobRecord& record) {
  std::set<std::string> blobs;
  const auto add = [&](const std::string& sha256) {
    if (!sha256.empty()) blobs.insert(sha256);
  };
  add(record.model_blob);
  add(record.job.checkpoint().blob());
  for (const v1::Artifact& artifact : record.job.artifacts()) add(artifact.blob());
  return blobs;
}

absl::Status AddBlob(SqlConnection& connection, const std::string& id, const std::string& sha256) {
  QUANTRY_RETURN_IF_ERROR(connection.LockName(sha256));
  {
    SqlStatement removal = connection.Prepare("SELECT 1 FROM blob_removals WHERE sha256 = ?");
    QUANTRY_ASSIGN_OR_RETURN(const bool removing, removal.BindText(sha256).Step());
    if (removing) return BlobIsBeingRemoved(sha256);
  }
  return connection.Prepare("INSERT INTO job_blobs (job_id, sha256) VALUES (?, ?)")
      .BindText(id)
      .BindText(sha256)
      .Run();
}

absl::Status ReplaceBlobs(SqlConnection& connection, const std::string& id,
                          const std::set<std::string>& before, const std::set<std::string>& after) {
  for (const std::string& sha256 : after) {
    if (!before.contains(sha256)) QUANTRY_RETURN_IF_ERROR(AddBlob(connection, id, sha256));
  }
  for (const std::string& sha256 : before) {
    if (after.contains(sha256)) continue;
    QUANTRY_RETURN_IF_ERROR(
        connection.Prepare("DELETE FROM job_blobs WHERE job_id = ? AND sha256 = ?")
            .BindText(id)
            .BindText(sha256)
            .Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<JobRecord> SelectBy(SqlConnection& connection, const std::string& id,
                                   absl::string_view suffix) {
  SqlStatement row =
      connection.Prepare(absl::StrCat("SELECT ", kJobColumns, " FROM jobs WHERE id = ?", suffix));
  QUANTRY_ASSIGN_OR_RETURN(const bool found, row.BindText(id).Step());
  if (!found) return JobNotFound(id);
  return JobFromRow(row);
}

}  // namespace

std::string JoinWorkers(const std::vector<std::string>& ids) { return absl::StrJoin(ids, " "); }

std::vector<std::string> SplitWorkers(const std::string& text) {
  return absl::StrSplit(text, ' ', absl::SkipEmpty());
}

absl::StatusOr<JobRecord> JobFromRow(const SqlStatement& row) {
  JobRecord record;
  record.id = row.Bytes(0);
  if (!record.job.ParseFromString(row.Bytes(1))) {
    return absl::DataLossError(absl::StrCat("database: job ", record.id, " cannot be read"));
  }
  record.model_blob = row.Bytes(2);
  record.lease_epoch = row.Int(3);
  record.lease_device = row.Bytes(4);
  record.finished_epoch = row.Int(5);
  record.next_event_number = row.Int(6);
  record.crashed_workers = SplitWorkers(row.Bytes(7));
  record.queued_since = absl::FromUnixMicros(row.Int(8));
  record.attempt_start = absl::FromUnixMicros(row.Int(9));
  record.run_time = absl::Microseconds(row.Int(10));
  record.lease_beat = row.Int(11);
  record.backoff = static_cast<int32_t>(row.Int(12));
  record.uncounted_attempts = static_cast<int32_t>(row.Int(13));
  return record;
}

absl::StatusOr<JobRecord> SelectJobForUpdate(SqlConnection& connection, const std::string& id) {
  return SelectBy(connection, id, connection.ForUpdate());
}

absl::StatusOr<JobRecord> SelectJob(SqlConnection& connection, const std::string& id) {
  return SelectBy(connection, id, "");
}

absl::Status InsertJob(SqlConnection& connection, const JobRecord& record) {
  static const std::string& sql = *new std::string(InsertSql());
  // First, so that nothing is written for a job that is refused.
  QUANTRY_RETURN_IF_ERROR(ReplaceBlobs(connection, record.id, {}, BlobsOf(record)));
  SqlStatement statement = connection.Prepare(sql);
  BindJob(statement, record);
  QUANTRY_RETURN_IF_ERROR(statement.Run());
  return InsertLabels(connection, record);
}

absl::Status InsertLabels(SqlConnection& connection, const JobRecord& record) {
  for (const auto& [key, value] : record.job.spec().labels()) {
    QUANTRY_RETURN_IF_ERROR(
        connection.Prepare("INSERT INTO job_labels (job_id, name, value) VALUES (?, ?, ?)")
            .BindText(record.id)
            .BindText(key)
            .BindText(value)
            .Run());
  }
  return absl::OkStatus();
}

absl::Status UpdateJob(SqlConnection& connection, const JobRecord& before,
                       const JobRecord& record) {
  static const std::string& sql = *new std::string(UpdateSql());
  QUANTRY_RETURN_IF_ERROR(ReplaceBlobs(connection, record.id, BlobsOf(before), BlobsOf(record)));
  SqlStatement statement = connection.Prepare(sql);
  BindJob(statement, record);
  return statement.BindText(record.id).Run();
}

absl::Status DeleteJob(SqlConnection& connection, const std::string& id) {
  for (const char* sql :
       {"DELETE FROM events WHERE job_id = ?", "DELETE FROM requests WHERE job_id = ?",
        "DELETE FROM job_labels WHERE job_id = ?", "DELETE FROM job_blobs WHERE job_id = ?",
        "DELETE FROM jobs WHERE id = ?"}) {
    QUANTRY_RETURN_IF_ERROR(connection.Prepare(sql).BindText(id).Run());
  }
  return absl::OkStatus();
}

absl::Status InsertEvents(SqlConnection& connection, const JobChange& change) {
  for (const v1::Event& event : change.events) {
    QUANTRY_RETURN_IF_ERROR(
        connection.Prepare("INSERT INTO events (job_id, sequence, event) VALUES (?, ?, ?)")
            .BindText(change.record.id)
            .BindInt(event.sequence())
            .BindBlob(event.SerializeAsString())
            .Run());
  }
  return absl::OkStatus();
}

}  // namespace quantry::server
