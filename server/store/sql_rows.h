#ifndef QUANTRY_SERVER_STORE_SQL_ROWS_H_
#define QUANTRY_SERVER_STORE_SQL_ROWS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/job_record.h"
#include "server/store/sql_connection.h"

namespace quantry::server {

// The columns of a job's row in the order that JobFromRow reads.
inline constexpr char kJobColumns[] =
    "id, job, model_blob, lease_epoch, lease_device, finished_epoch, next_event_number, "
    "crashed_workers, queued_since, attempt_start, run_time, lease_beat, backoff, "
    "uncounted_attempts";

// The record in a statement's current row, which selects kJobColumns. DATA_LOSS if it can't be
// read.
absl::StatusOr<JobRecord> JobFromRow(const SqlStatement& row);

// The job, inside the caller's transaction, which will change it. NOT_FOUND if there is none.
absl::StatusOr<JobRecord> SelectJobForUpdate(SqlConnection& connection, const std::string& id);
// The job, to be read only.
absl::StatusOr<JobRecord> SelectJob(SqlConnection& connection, const std::string& id);

// Adds the job's rows. FAILED_PRECONDITION if a blob that it needs is being removed.
absl::Status InsertJob(SqlConnection& connection, const JobRecord& record);

// Adds the job's labels.
absl::Status InsertLabels(SqlConnection& connection, const JobRecord& record);

// Replaces the job's row and references to blobs; `before` is what they hold.
absl::Status UpdateJob(SqlConnection& connection, const JobRecord& before, const JobRecord& record);

// Removes the job's rows and all that belong to it.
absl::Status DeleteJob(SqlConnection& connection, const std::string& id);

// Adds the events.
absl::Status InsertEvents(SqlConnection& connection, const JobChange& change);

// Worker ids in one text column, separated by spaces, and back.
std::string JoinWorkers(const std::vector<std::string>& ids);
std::vector<std::string> SplitWorkers(const std::string& text);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQL_ROWS_H_
