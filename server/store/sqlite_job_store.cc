#include "server/store/sqlite_job_store.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "server/store/sqlite_rows.h"
#include "server/store/sqlite_schema.h"

namespace quantry::server {
namespace {

constexpr int kReaders = 4;

// The job that an earlier use of the request id made, empty if there was none.
absl::StatusOr<std::string> FindRequest(SqliteConnection& connection,
                                        const JobStore::RequestKey& key) {
  SqliteStatement row =
      connection.Prepare("SELECT body_sha256, job_id FROM requests WHERE request_id = ?");
  QUANTRY_ASSIGN_OR_RETURN(const bool found, row.BindText(key.request_id).Step());
  if (!found) return std::string();
  if (row.Bytes(0) != key.body_sha256) return RequestIdReused(key.request_id);
  return row.Bytes(1);
}

absl::Status InsertRequest(SqliteConnection& connection, const JobStore::RequestKey& key,
                           const std::string& job_id) {
  return connection
      .Prepare("INSERT INTO requests (request_id, body_sha256, job_id) VALUES (?, ?, ?)")
      .BindText(key.request_id)
      .BindText(key.body_sha256)
      .BindText(job_id)
      .Run();
}

// WHERE and ORDER of a list; the states are numbers of an enum, so they need no binding. Each is
// named once and in order: a connection keeps every text that it has prepared, and callers must not
// be able to make up ever new ones.
std::string ListSql(const JobStore::Query& query) {
  const std::set<int> states(query.states.begin(), query.states.end());
  std::string sql = absl::StrCat("SELECT ", kJobColumns, " FROM jobs WHERE id < ?");
  if (!states.empty()) absl::StrAppend(&sql, " AND state IN (", absl::StrJoin(states, ","), ")");
  return absl::StrCat(sql, " ORDER BY id DESC LIMIT ?");
}

constexpr char kAfterEveryId[] = "~";

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteJobStore>> SqliteJobStore::Open(
    const std::filesystem::path& path) {
  using Access = SqliteConnection::Access;
  QUANTRY_ASSIGN_OR_RETURN(auto writer, SqliteConnection::Open(path, Access::kReadWrite));
  QUANTRY_RETURN_IF_ERROR(WithContext(MigrateSqlite(*writer), path.string()));
  std::vector<std::unique_ptr<SqliteConnection>> readers;
  for (int i = 0; i < kReaders; ++i) {
    QUANTRY_ASSIGN_OR_RETURN(auto reader, SqliteConnection::Open(path, Access::kReadOnly));
    readers.push_back(std::move(reader));
  }
  return std::unique_ptr<SqliteJobStore>(new SqliteJobStore(std::move(writer), std::move(readers)));
}

SqliteJobStore::SqliteJobStore(std::unique_ptr<SqliteConnection> writer,
                               std::vector<std::unique_ptr<SqliteConnection>> readers)
    : writer_(std::move(writer)), committer_(*writer_), free_readers_(std::move(readers)) {}

absl::Status SqliteJobStore::Read(Reading reading) {
  std::unique_ptr<SqliteConnection> connection;
  {
    absl::MutexLock lock(&readers_mutex_);
    readers_mutex_.Await(absl::Condition(
        +[](std::vector<std::unique_ptr<SqliteConnection>>* free) { return !free->empty(); },
        &free_readers_));
    connection = std::move(free_readers_.back());
    free_readers_.pop_back();
  }
  absl::Status status = reading(*connection);
  absl::MutexLock lock(&readers_mutex_);
  free_readers_.push_back(std::move(connection));
  return status;
}

absl::StatusOr<JobRecord> SqliteJobStore::Create(const JobChange& job,
                                                 const std::optional<RequestKey>& key) {
  QUANTRY_RETURN_IF_ERROR(CheckSequences(job, 0));
  JobRecord stored = job.record;
  const absl::Status status = committer_.Run([&](SqliteConnection& connection) -> absl::Status {
    if (key.has_value()) {
      QUANTRY_ASSIGN_OR_RETURN(const std::string earlier, FindRequest(connection, *key));
      if (!earlier.empty()) {
        QUANTRY_ASSIGN_OR_RETURN(stored, SelectJob(connection, earlier));
        return absl::OkStatus();
      }
      QUANTRY_RETURN_IF_ERROR(InsertRequest(connection, *key, job.record.id));
    }
    QUANTRY_RETURN_IF_ERROR(PutJob(connection, job.record));
    return InsertEvents(connection, job);
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return stored;
}

absl::StatusOr<JobRecord> SqliteJobStore::Get(const std::string& id) {
  JobRecord record;
  const absl::Status status = Read([&](SqliteConnection& connection) -> absl::Status {
    QUANTRY_ASSIGN_OR_RETURN(record, SelectJob(connection, id));
    return absl::OkStatus();
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return record;
}

absl::StatusOr<std::vector<JobRecord>> SqliteJobStore::List(const Query& query) {
  std::vector<JobRecord> list;
  const absl::Status status = Read([&](SqliteConnection& connection) -> absl::Status {
    SqliteStatement rows = connection.Prepare(ListSql(query));
    rows.BindText(query.before_id.value_or(kAfterEveryId)).BindInt(query.limit);
    while (true) {
      QUANTRY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) return absl::OkStatus();
      QUANTRY_ASSIGN_OR_RETURN(JobRecord record, JobFromRow(rows));
      list.push_back(std::move(record));
    }
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return list;
}

absl::StatusOr<JobRecord> SqliteJobStore::Update(const std::string& id, Mutation mutation) {
  JobRecord stored;
  const absl::Status status = committer_.Run([&](SqliteConnection& connection) -> absl::Status {
    JobChange change;
    QUANTRY_ASSIGN_OR_RETURN(change.record, SelectJob(connection, id));
    const int64_t last_sequence = change.record.job.last_sequence();
    QUANTRY_RETURN_IF_ERROR(mutation(change));
    QUANTRY_RETURN_IF_ERROR(CheckSequences(change, last_sequence));
    QUANTRY_RETURN_IF_ERROR(PutJob(connection, change.record));
    QUANTRY_RETURN_IF_ERROR(InsertEvents(connection, change));
    stored = std::move(change.record);
    return absl::OkStatus();
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return stored;
}

absl::StatusOr<std::vector<v1::Event>> SqliteJobStore::Events(const std::string& id, int64_t after,
                                                              int limit) {
  std::vector<v1::Event> events;
  const absl::Status status = Read([&](SqliteConnection& connection) -> absl::Status {
    SqliteStatement job = connection.Prepare("SELECT 1 FROM jobs WHERE id = ?");
    QUANTRY_ASSIGN_OR_RETURN(const bool exists, job.BindText(id).Step());
    if (!exists) return JobNotFound(id);
    SqliteStatement rows = connection.Prepare(
        "SELECT event FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence LIMIT ?");
    rows.BindText(id).BindInt(after).BindInt(limit);
    while (true) {
      QUANTRY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) return absl::OkStatus();
      if (!events.emplace_back().ParseFromString(rows.Bytes(0))) {
        return absl::DataLossError(absl::StrCat("database: an event of job ", id, " is broken"));
      }
    }
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return events;
}

absl::StatusOr<std::vector<QueuedJob>> SqliteJobStore::Queued(const std::string& device_kind,
                                                              int limit) {
  std::vector<QueuedJob> queued;
  const absl::Status status = Read([&](SqliteConnection& connection) -> absl::Status {
    SqliteStatement rows = connection.Prepare(
        "SELECT id, priority, device_kind, crashed_workers FROM jobs "
        "WHERE state = ? AND device_kind IN ('', ?) ORDER BY priority DESC, id LIMIT ?");
    rows.BindInt(v1::JOB_STATE_QUEUED).BindText(device_kind).BindInt(limit);
    while (true) {
      QUANTRY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) return absl::OkStatus();
      queued.push_back({.id = rows.Bytes(0),
                        .priority = static_cast<int32_t>(rows.Int(1)),
                        .device_kind = rows.Bytes(2),
                        .crashed_workers = SplitWorkers(rows.Bytes(3))});
    }
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return queued;
}

absl::StatusOr<int64_t> SqliteJobStore::CountAhead(int32_t priority, const std::string& id) {
  int64_t count = 0;
  const absl::Status status = Read([&](SqliteConnection& connection) -> absl::Status {
    SqliteStatement row = connection.Prepare(
        "SELECT count(*) FROM jobs WHERE state = ? AND (priority > ? OR (priority = ? AND id < "
        "?))");
    row.BindInt(v1::JOB_STATE_QUEUED).BindInt(priority).BindInt(priority).BindText(id);
    QUANTRY_RETURN_IF_ERROR(row.Step().status());
    count = row.Int(0);
    return absl::OkStatus();
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return count;
}

absl::StatusOr<std::map<v1::JobState, int64_t>> SqliteJobStore::CountByState() {
  std::map<v1::JobState, int64_t> counts;
  const absl::Status status = Read([&](SqliteConnection& connection) -> absl::Status {
    SqliteStatement rows = connection.Prepare("SELECT state, count(*) FROM jobs GROUP BY state");
    while (true) {
      QUANTRY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) return absl::OkStatus();
      counts[static_cast<v1::JobState>(rows.Int(0))] = rows.Int(1);
    }
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return counts;
}

absl::Status SqliteJobStore::PutWorker(const v1::RegisterWorkerRequest& worker) {
  return committer_.Run([&](SqliteConnection& connection) {
    return connection.Prepare("INSERT OR REPLACE INTO workers (id, registration) VALUES (?, ?)")
        .BindText(worker.worker_id())
        .BindBlob(worker.SerializeAsString())
        .Run();
  });
}

absl::StatusOr<std::vector<v1::RegisterWorkerRequest>> SqliteJobStore::Workers() {
  std::vector<v1::RegisterWorkerRequest> workers;
  const absl::Status status = Read([&](SqliteConnection& connection) -> absl::Status {
    SqliteStatement rows = connection.Prepare("SELECT registration FROM workers ORDER BY id");
    while (true) {
      QUANTRY_ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) return absl::OkStatus();
      if (!workers.emplace_back().ParseFromString(rows.Bytes(0))) {
        return absl::DataLossError("database: a worker's row is broken");
      }
    }
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return workers;
}

}  // namespace quantry::server
