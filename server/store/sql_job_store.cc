#include "server/store/sql_job_store.h"

#include <limits>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "server/store/job_query_sql.h"
#include "server/store/postgres_listener.h"
#include "server/store/sql_rows.h"

namespace quantry::server {
namespace {

using Keep = SqlConnection::Keep;

// The job of the request id: `job_id`, or that of an earlier use.
absl::StatusOr<std::string> ClaimRequest(SqlConnection& connection, const JobStore::RequestKey& key,
                                         const std::string& job_id) {
  QUANTRY_RETURN_IF_ERROR(
      connection
          .Prepare("INSERT INTO requests (request_id, body_sha256, job_id) VALUES (?, ?, ?) "
                   "ON CONFLICT (request_id) DO NOTHING")
          .BindText(key.request_id)
          .BindText(key.body_sha256)
          .BindText(job_id)
          .Run());
  SqlStatement row =
      connection.Prepare("SELECT body_sha256, job_id FROM requests WHERE request_id = ?");
  QUANTRY_ASSIGN_OR_RETURN(const bool found, row.BindText(key.request_id).Step());
  if (!found) return absl::InternalError("database: a request that was stored is not there");
  if (row.Bytes(0) != key.body_sha256) return RequestIdReused(key.request_id);
  return row.Bytes(1);
}

// A notice to other servers: "ORIGIN JOB" or "ORIGIN JOB queued".
absl::Status Announce(SqlConnection& connection, const std::string& origin,
                      const JobRecord& record) {
  const bool queued = record.job.state() == v1::JOB_STATE_QUEUED;
  return connection.Notify(absl::StrCat(origin, " ", record.id, queued ? " queued" : ""));
}

JobStore::Change ReadNotice(absl::string_view payload, bool& own, absl::string_view origin) {
  const std::vector<std::string> words = absl::StrSplit(payload, ' ');
  own = words[0] == origin;
  return {.job_id = words.size() > 1 ? words[1] : "", .queued = words.size() > 2};
}

// Each namespace with a queued job once, found by jumping along the index.
constexpr char kQueuedNamespaces[] =
    "WITH RECURSIVE found (name) AS ("
    "SELECT min(namespace) FROM jobs WHERE state = ? UNION ALL "
    "SELECT (SELECT min(namespace) FROM jobs WHERE state = ? AND namespace > found.name) "
    "FROM found WHERE found.name IS NOT NULL) "
    "SELECT name FROM found WHERE name IS NOT NULL";

constexpr char kQueuedJobs[] =
    "SELECT id, priority, queue_rank, device_kind, device_memory, device_count, crashed_workers, "
    "lease_epoch, backoff FROM jobs WHERE state = ? AND namespace = ? "
    "AND (device_kind IN ('', ?) OR ? = 1) AND device_memory <= ? "
    "ORDER BY queue_rank DESC, id LIMIT ?";

std::string RandomName() {
  std::random_device random;
  return absl::StrCat(absl::Hex(random()), absl::Hex(random()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqlJobStore>> SqlJobStore::OpenSqlite(
    const std::filesystem::path& path) {
  QUANTRY_ASSIGN_OR_RETURN(auto database, SqlDatabase::OpenSqlite(path));
  return std::make_unique<SqlJobStore>(std::move(database));
}

absl::StatusOr<std::unique_ptr<SqlJobStore>> SqlJobStore::OpenPostgres(const std::string& url) {
  QUANTRY_ASSIGN_OR_RETURN(auto database, SqlDatabase::OpenPostgres(url));
  return std::make_unique<SqlJobStore>(std::move(database));
}

SqlJobStore::SqlJobStore(std::shared_ptr<SqlDatabase> database)
    : database_(std::move(database)), origin_(RandomName()) {}

SqlJobStore::~SqlJobStore() = default;

absl::StatusOr<JobRecord> SqlJobStore::Create(const JobChange& job,
                                              const std::optional<RequestKey>& key) {
  QUANTRY_RETURN_IF_ERROR(CheckSequences(job, 0));
  JobRecord stored;
  const absl::Status status = database_->Write([&](SqlConnection& connection) -> absl::Status {
    stored = job.record;
    if (key.has_value()) {
      QUANTRY_ASSIGN_OR_RETURN(const std::string id, ClaimRequest(connection, *key, stored.id));
      if (id != stored.id) {
        QUANTRY_ASSIGN_OR_RETURN(stored, SelectJob(connection, id));
        return absl::OkStatus();
      }
    }
    QUANTRY_RETURN_IF_ERROR(InsertJob(connection, job.record));
    QUANTRY_RETURN_IF_ERROR(InsertEvents(connection, job));
    return Announce(connection, origin_, job.record);
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return stored;
}

absl::StatusOr<JobRecord> SqlJobStore::Get(const std::string& id) {
  JobRecord record;
  const absl::Status status = database_->Read([&](SqlConnection& connection) -> absl::Status {
    QUANTRY_ASSIGN_OR_RETURN(record, SelectJob(connection, id));
    return absl::OkStatus();
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return record;
}

absl::StatusOr<std::vector<JobRecord>> SqlJobStore::List(const JobQuery& query) {
  std::vector<JobRecord> list;
  const JobQuerySql select = MakeJobQuerySql(query);
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      select.sql, Keep::kNothing, [&](SqlStatement& rows) { select.Bind(rows); },
      [&] { list.clear(); },
      [&](SqlStatement& rows) -> absl::Status {
        QUANTRY_ASSIGN_OR_RETURN(JobRecord record, JobFromRow(rows));
        list.push_back(std::move(record));
        return absl::OkStatus();
      }));
  return list;
}

absl::StatusOr<JobRecord> SqlJobStore::Update(const std::string& id, Mutation mutation) {
  JobRecord stored;
  const absl::Status status = database_->Write([&](SqlConnection& connection) -> absl::Status {
    QUANTRY_ASSIGN_OR_RETURN(const JobRecord before, SelectJobForUpdate(connection, id));
    JobChange change{.record = before};
    QUANTRY_RETURN_IF_ERROR(mutation(change));
    QUANTRY_RETURN_IF_ERROR(CheckSequences(change, before.job.last_sequence()));
    QUANTRY_RETURN_IF_ERROR(UpdateJob(connection, before, change.record));
    QUANTRY_RETURN_IF_ERROR(InsertEvents(connection, change));
    QUANTRY_RETURN_IF_ERROR(Announce(connection, origin_, change.record));
    stored = std::move(change.record);
    return absl::OkStatus();
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return stored;
}

absl::StatusOr<std::vector<std::string>> SqlJobStore::Purge(absl::Time now, int limit) {
  std::vector<std::string> ids;
  const absl::Status status = database_->Write([&](SqlConnection& connection) -> absl::Status {
    ids.clear();
    {
      SqlStatement rows = connection.Prepare(
          absl::StrCat("SELECT id FROM jobs WHERE purge_time > 0 AND purge_time <= ? "
                       "ORDER BY purge_time LIMIT ?",
                       connection.ForUpdate()));
      rows.BindInt(absl::ToUnixMicros(now)).BindInt(limit);
      while (true) {
        QUANTRY_ASSIGN_OR_RETURN(const bool more, rows.Step());
        if (!more) break;
        ids.push_back(rows.Bytes(0));
      }
    }
    for (const std::string& id : ids) QUANTRY_RETURN_IF_ERROR(DeleteJob(connection, id));
    return absl::OkStatus();
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return ids;
}

absl::StatusOr<std::vector<v1::Event>> SqlJobStore::Events(const std::string& id, int64_t after,
                                                           int limit) {
  std::vector<v1::Event> events;
  bool exists = false;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      "SELECT event FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
      Keep::kStatement,
      [&](SqlStatement& rows) { rows.BindText(id).BindInt(after).BindInt(limit); },
      [&] { events.clear(); },
      [&](SqlStatement& rows) {
        if (events.emplace_back().ParseFromString(rows.Bytes(0))) return absl::OkStatus();
        return absl::DataLossError(absl::StrCat("database: an event of job ", id, " is broken"));
      }));
  if (!events.empty()) return events;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      "SELECT 1 FROM jobs WHERE id = ?", Keep::kStatement,
      [&](SqlStatement& rows) { rows.BindText(id); }, [&] { exists = false; },
      [&](SqlStatement&) {
        exists = true;
        return absl::OkStatus();
      }));
  if (!exists) return JobNotFound(id);
  return events;
}

absl::StatusOr<std::vector<std::string>> SqlJobStore::ReadTexts(
    const std::string& sql, absl::FunctionRef<void(SqlStatement&)> bind) {
  std::vector<std::string> texts;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      sql, Keep::kStatement, bind, [&] { texts.clear(); },
      [&](SqlStatement& row) {
        texts.push_back(row.Bytes(0));
        return absl::OkStatus();
      }));
  return texts;
}

absl::StatusOr<int64_t> SqlJobStore::ReadNumber(const std::string& sql,
                                                absl::FunctionRef<void(SqlStatement&)> bind) {
  int64_t number = 0;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      sql, Keep::kStatement, bind, [] {},
      [&](SqlStatement& row) {
        number = row.Int(0);
        return absl::OkStatus();
      }));
  return number;
}

absl::StatusOr<std::vector<QueuedJob>> SqlJobStore::Queued(const DeviceView* device, int limit) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<std::string> namespaces,
                           ReadTexts(kQueuedNamespaces, [](SqlStatement& rows) {
                             rows.BindInt(v1::JOB_STATE_QUEUED).BindInt(v1::JOB_STATE_QUEUED);
                           }));
  std::vector<QueuedJob> queued;
  for (const std::string& name : namespaces) {
    const size_t before = queued.size();
    QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
        kQueuedJobs, Keep::kStatement,
        [&](SqlStatement& rows) {
          const bool any_memory = device == nullptr || device->memory_bytes == 0;
          rows.BindInt(v1::JOB_STATE_QUEUED)
              .BindText(name)
              .BindText(device == nullptr ? "" : device->kind)
              .BindInt(device == nullptr ? 1 : 0)
              .BindInt(any_memory ? std::numeric_limits<int64_t>::max() : device->memory_bytes)
              .BindInt(limit);
        },
        [&] { queued.resize(before); },
        [&](SqlStatement& rows) {
          queued.push_back({.id = rows.Bytes(0),
                            .name_space = name,
                            .priority = static_cast<int32_t>(rows.Int(1)),
                            .rank = rows.Int(2),
                            .device_kind = rows.Bytes(3),
                            .device_memory_bytes = rows.Int(4),
                            .device_count = static_cast<int32_t>(rows.Int(5)),
                            .crashed_workers = SplitWorkers(rows.Bytes(6)),
                            .lease_epoch = rows.Int(7),
                            .backoff = static_cast<int32_t>(rows.Int(8))});
          return absl::OkStatus();
        }));
  }
  return queued;
}

absl::StatusOr<int64_t> SqlJobStore::CountAhead(int64_t rank) {
  return ReadNumber("SELECT count(*) FROM jobs WHERE state = ? AND queue_rank > ?",
                    [&](SqlStatement& row) { row.BindInt(v1::JOB_STATE_QUEUED).BindInt(rank); });
}

absl::StatusOr<int64_t> SqlJobStore::CountQueued(const std::string& name_space) {
  return ReadNumber(
      "SELECT count(*) FROM jobs WHERE state = ? AND namespace = ?",
      [&](SqlStatement& row) { row.BindInt(v1::JOB_STATE_QUEUED).BindText(name_space); });
}

absl::StatusOr<std::vector<std::string>> SqlJobStore::QueuedWithDeadline() {
  return ReadTexts("SELECT id FROM jobs WHERE state = ? AND queue_deadline > 0",
                   [](SqlStatement& rows) { rows.BindInt(v1::JOB_STATE_QUEUED); });
}

absl::StatusOr<std::map<v1::JobState, int64_t>> SqlJobStore::CountByState() {
  std::map<v1::JobState, int64_t> counts;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      "SELECT state, count(*) FROM jobs GROUP BY state", Keep::kStatement, [](SqlStatement&) {},
      [&] { counts.clear(); },
      [&](SqlStatement& row) {
        counts[static_cast<v1::JobState>(row.Int(0))] = row.Int(1);
        return absl::OkStatus();
      }));
  return counts;
}

absl::Status SqlJobStore::PutWorker(const v1::RegisterWorkerRequest& worker) {
  return database_->Write([&](SqlConnection& connection) {
    return connection
        .Prepare(
            "INSERT INTO workers (id, registration, beat) VALUES (?, ?, 1) ON CONFLICT (id) "
            "DO UPDATE SET registration = excluded.registration, beat = workers.beat + 1")
        .BindText(worker.worker_id())
        .BindBlob(worker.SerializeAsString())
        .Run();
  });
}

absl::StatusOr<std::vector<StoredWorker>> SqlJobStore::Workers() {
  std::vector<StoredWorker> workers;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      "SELECT registration, beat, draining FROM workers ORDER BY id", Keep::kStatement,
      [](SqlStatement&) {}, [&] { workers.clear(); },
      [&](SqlStatement& row) -> absl::Status {
        StoredWorker& worker = workers.emplace_back();
        worker.beat = row.Int(1);
        worker.draining = row.Int(2) != 0;
        if (worker.registration.ParseFromString(row.Bytes(0))) return absl::OkStatus();
        return absl::DataLossError("database: a worker's row is broken");
      }));
  return workers;
}

absl::StatusOr<bool> SqlJobStore::SetDraining(const std::string& worker_id, bool draining) {
  bool found = false;
  const absl::Status status = database_->Write([&](SqlConnection& connection) -> absl::Status {
    {
      SqlStatement row = connection.Prepare("SELECT 1 FROM workers WHERE id = ?");
      QUANTRY_ASSIGN_OR_RETURN(found, row.BindText(worker_id).Step());
    }
    return connection.Prepare("UPDATE workers SET draining = ? WHERE id = ?")
        .BindInt(draining ? 1 : 0)
        .BindText(worker_id)
        .Run();
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return found;
}

absl::Status SqlJobStore::BeatLease(const std::string& id, int64_t epoch) {
  return database_->Write([&](SqlConnection& connection) {
    return connection
        .Prepare("UPDATE jobs SET lease_beat = lease_beat + 1 WHERE id = ? AND lease_epoch = ?")
        .BindText(id)
        .BindInt(epoch)
        .Run();
  });
}

absl::Status SqlJobStore::BeatWorker(const std::string& worker_id) {
  return database_->Write([&](SqlConnection& connection) {
    return connection.Prepare("UPDATE workers SET beat = beat + 1 WHERE id = ?")
        .BindText(worker_id)
        .Run();
  });
}

absl::StatusOr<std::vector<StoredLease>> SqlJobStore::Leases() {
  std::vector<StoredLease> leases;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      "SELECT id, lease_epoch, lease_beat FROM jobs WHERE state IN (?, ?)", Keep::kStatement,
      [](SqlStatement& rows) { rows.BindInt(v1::JOB_STATE_LEASED).BindInt(v1::JOB_STATE_RUNNING); },
      [&] { leases.clear(); },
      [&](SqlStatement& row) {
        leases.push_back({.job_id = row.Bytes(0), .epoch = row.Int(1), .beat = row.Int(2)});
        return absl::OkStatus();
      }));
  return leases;
}

absl::Status SqlJobStore::Listen(std::function<void(const Change&)> on_change) {
  if (!IsShared()) return absl::OkStatus();
  const auto on_message = [origin = origin_, on_change](const std::string& payload) {
    bool own = false;
    const Change change = ReadNotice(payload, own, origin);
    if (!own) on_change(change);
  };
  QUANTRY_ASSIGN_OR_RETURN(listener_,
                           PostgresListener::Start(database_->url(), on_message, [on_change] {
                             on_change({.job_id = "", .queued = true});
                           }));
  return absl::OkStatus();
}

void SqlJobStore::StopListening() { listener_.reset(); }

absl::StatusOr<bool> SqlJobStore::IsReferenced(const std::string& sha256) {
  bool referenced = false;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      "SELECT 1 FROM job_blobs WHERE sha256 = ? LIMIT 1", Keep::kStatement,
      [&](SqlStatement& rows) { rows.BindText(sha256); }, [&] { referenced = false; },
      [&](SqlStatement&) {
        referenced = true;
        return absl::OkStatus();
      }));
  return referenced;
}

absl::StatusOr<bool> SqlJobStore::BeginBlobRemoval(const std::string& sha256) {
  bool free = false;
  const absl::Status status = database_->Write([&](SqlConnection& connection) -> absl::Status {
    QUANTRY_RETURN_IF_ERROR(connection.LockName(sha256));
    {
      SqlStatement row = connection.Prepare("SELECT 1 FROM job_blobs WHERE sha256 = ? LIMIT 1");
      QUANTRY_ASSIGN_OR_RETURN(const bool referenced, row.BindText(sha256).Step());
      free = !referenced;
    }
    if (!free) return absl::OkStatus();
    return connection
        .Prepare("INSERT INTO blob_removals (sha256) VALUES (?) ON CONFLICT (sha256) DO NOTHING")
        .BindText(sha256)
        .Run();
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return free;
}

absl::Status SqlJobStore::EndBlobRemoval(const std::string& sha256) {
  return database_->Write([&](SqlConnection& connection) {
    return connection.Prepare("DELETE FROM blob_removals WHERE sha256 = ?").BindText(sha256).Run();
  });
}

}  // namespace quantry::server
