#include "server/store/sqlite_rows.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "server/store/job_store.h"

namespace quantry::server {

std::string JoinWorkers(const std::vector<std::string>& ids) { return absl::StrJoin(ids, " "); }

std::vector<std::string> SplitWorkers(const std::string& text) {
  return absl::StrSplit(text, ' ', absl::SkipEmpty());
}

absl::StatusOr<JobRecord> JobFromRow(const SqliteStatement& row) {
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
  return record;
}

absl::StatusOr<JobRecord> SelectJob(SqliteConnection& connection, const std::string& id) {
  SqliteStatement row =
      connection.Prepare(absl::StrCat("SELECT ", kJobColumns, " FROM jobs WHERE id = ?"));
  QUANTRY_ASSIGN_OR_RETURN(const bool found, row.BindText(id).Step());
  if (!found) return JobNotFound(id);
  return JobFromRow(row);
}

absl::Status PutJob(SqliteConnection& connection, const JobRecord& record) {
  const v1::JobSpec& spec = record.job.spec();
  return connection
      .Prepare(absl::StrCat("INSERT INTO jobs (", kJobColumns,
                            ", state, priority, device_kind) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                            "ON CONFLICT (id) DO UPDATE SET job = excluded.job, "
                            "model_blob = excluded.model_blob, lease_epoch = excluded.lease_epoch, "
                            "lease_device = excluded.lease_device, "
                            "finished_epoch = excluded.finished_epoch, "
                            "next_event_number = excluded.next_event_number, "
                            "crashed_workers = excluded.crashed_workers, "
                            "queued_since = excluded.queued_since, "
                            "attempt_start = excluded.attempt_start, "
                            "run_time = excluded.run_time, state = excluded.state, "
                            "priority = excluded.priority, device_kind = excluded.device_kind"))
      .BindText(record.id)
      .BindBlob(record.job.SerializeAsString())
      .BindText(record.model_blob)
      .BindInt(record.lease_epoch)
      .BindText(record.lease_device)
      .BindInt(record.finished_epoch)
      .BindInt(record.next_event_number)
      .BindText(JoinWorkers(record.crashed_workers))
      .BindInt(absl::ToUnixMicros(record.queued_since))
      .BindInt(absl::ToUnixMicros(record.attempt_start))
      .BindInt(absl::ToInt64Microseconds(record.run_time))
      .BindInt(record.job.state())
      .BindInt(spec.priority())
      .BindText(spec.resources().device_kind())
      .Run();
}

absl::Status InsertEvents(SqliteConnection& connection, const JobChange& change) {
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
