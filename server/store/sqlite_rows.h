#ifndef QUANTRY_SERVER_STORE_SQLITE_ROWS_H_
#define QUANTRY_SERVER_STORE_SQLITE_ROWS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/job_record.h"
#include "server/store/sqlite_connection.h"

namespace quantry::server {

// The columns of a job's row in the order that JobFromRow reads.
inline constexpr char kJobColumns[] =
    "id, job, model_blob, lease_epoch, lease_device, finished_epoch, next_event_number, "
    "crashed_workers, queued_since, attempt_start, run_time";

// The record in a statement's current row, which selects kJobColumns. DATA_LOSS if it can't be
// read.
absl::StatusOr<JobRecord> JobFromRow(const SqliteStatement& row);

// The job, inside the caller's transaction. NOT_FOUND if there is none.
absl::StatusOr<JobRecord> SelectJob(SqliteConnection& connection, const std::string& id);

// Adds or replaces the job's row.
absl::Status PutJob(SqliteConnection& connection, const JobRecord& record);

// Adds the events.
absl::Status InsertEvents(SqliteConnection& connection, const JobChange& change);

// Worker ids in one text column, separated by spaces, and back.
std::string JoinWorkers(const std::vector<std::string>& ids);
std::vector<std::string> SplitWorkers(const std::string& text);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQLITE_ROWS_H_
