#include "server/store/postgres_connection.h"

#include <endian.h>
#include <libpq-fe.h>

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

constexpr int kBinary = 1;
constexpr int kText = 0;
// Any number that no other program takes for its advisory locks on the same database.
constexpr char kSchemaLock[] = "SELECT pg_advisory_xact_lock(8317205264)";

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

Result Own(PGresult* result) { return Result(result, &PQclear); }

// SQLSTATE classes: PostgreSQL's manual, appendix A.
absl::Status PostgresError(PGconn* connection, const PGresult* result) {
  const char* given = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const absl::string_view state = given == nullptr ? "" : given;
  const char* primary =
      result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const std::string message = absl::StrCat(
      "database: ",
      absl::StripAsciiWhitespace(primary != nullptr ? primary : PQerrorMessage(connection)),
      state.empty() ? "" : " (SQLSTATE ", state, state.empty() ? "" : ")");
  if (state == "53100" || state == "53200") {  // disk_full, out_of_memory
    return MakeError(absl::StatusCode::kResourceExhausted, "STORAGE_FULL", message);
  }
  if (absl::StartsWith(state, "XX00")) {  // data_corrupted, index_corrupted
    return MakeError(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", message);
  }
  if (state == "40001" || state == "40P01") {  // serialization_failure, deadlock_detected
    return MakeError(absl::StatusCode::kAborted, "STORAGE_CONFLICT", message);
  }
  const bool away = PQstatus(connection) != CONNECTION_OK || absl::StartsWith(state, "08") ||
                    absl::StartsWith(state, "57P") || absl::StartsWith(state, "58") ||
                    state == "53300" || state == "25006";  // read_only_sql_transaction: a standby
  return MakeError(away ? absl::StatusCode::kUnavailable : absl::StatusCode::kInternal,
                   "STORAGE_ERROR", message);
}

absl::Status CheckResult(PGconn* connection, const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return absl::OkStatus();
  return PostgresError(connection, result);
}

// "... = ?" as "... = $1". No text of ours has a question mark in a literal.
std::string Numbered(absl::string_view sql) {
  std::string text;
  int number = 0;
  for (const char c : sql) {
    if (c == '?') {
      absl::StrAppend(&text, "$", ++number);
    } else {
      text.push_back(c);
    }
  }
  return text;
}

template <typename T>
T Load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

class PostgresCursor final : public SqlCursor {
 public:
  PostgresCursor(PGconn* connection, std::string name, absl::Status prepared)
      : connection_(connection), name_(std::move(name)), status_(std::move(prepared)) {}

  void BindInt(int64_t value) override { Bind(absl::StrCat(value), kText); }
  void BindText(absl::string_view value) override { Bind(std::string(value), kText); }
  void BindBlob(absl::string_view value) override { Bind(std::string(value), kBinary); }

  absl::StatusOr<bool> Step() override {
    QUANTRY_RETURN_IF_ERROR(status_);
    if (result_ == nullptr) {
      status_ = Execute();
      QUANTRY_RETURN_IF_ERROR(status_);
    }
    return ++row_ < PQntuples(result_.get());
  }

  int64_t Int(int column) const override {
    const char* data = PQgetvalue(result_.get(), row_, column);
    switch (PQgetlength(result_.get(), row_, column)) {
      case 8:
        return static_cast<int64_t>(be64toh(Load<uint64_t>(data)));
      case 4:
        return static_cast<int32_t>(be32toh(Load<uint32_t>(data)));
      default:
        return 0;  // NULL
    }
  }
  std::string Bytes(int column) const override {
    return std::string(PQgetvalue(result_.get(), row_, column),
                       static_cast<size_t>(PQgetlength(result_.get(), row_, column)));
  }

 private:
  void Bind(std::string value, int format) {
    values_.push_back(std::move(value));
    formats_.push_back(format);
  }

  absl::Status Execute() {
    std::vector<const char*> pointers;
    std::vector<int> lengths;
    for (const std::string& value : values_) {
      pointers.push_back(value.data());
      lengths.push_back(static_cast<int>(value.size()));
    }
    result_ = Own(PQexecPrepared(connection_, name_.c_str(), static_cast<int>(values_.size()),
                                 pointers.data(), lengths.data(), formats_.data(), kBinary));
    return CheckResult(connection_, result_.get());
  }

  PGconn* const connection_;
  const std::string name_;
  absl::Status status_;
  std::vector<std::string> values_;
  std::vector<int> formats_;
  Result result_{nullptr, &PQclear};
  int row_ = -1;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(
    const std::string& url) {
  // What the URL says comes last and wins over what stands before it.
  const char* const keywords[] = {"connect_timeout", "fallback_application_name", "dbname",
                                  nullptr};
  const char* const values[] = {"10", "quantry-server", url.c_str(), nullptr};
  std::unique_ptr<PostgresConnection> connection(
      new PostgresConnection(PQconnectdbParams(keywords, values, /*expand_dbname=*/1)));
  PQsetNoticeProcessor(
      connection->handle(), [](void*, const char*) {}, nullptr);
  if (PQstatus(connection->handle()) != CONNECTION_OK) {
    return PostgresError(connection->handle(), nullptr);
  }
  QUANTRY_RETURN_IF_ERROR(connection->Execute("SET synchronous_commit = on"));
  return connection;
}

PostgresConnection::~PostgresConnection() { PQfinish(connection_); }

absl::Status PostgresConnection::Execute(const std::string& sql) {
  return CheckResult(connection_, Own(PQexec(connection_, sql.c_str())).get());
}

bool PostgresConnection::IsLost() const { return PQstatus(connection_) != CONNECTION_OK; }

absl::Status PostgresConnection::Reconnect() {
  names_.clear();
  PQreset(connection_);
  if (IsLost()) return PostgresError(connection_, nullptr);
  return Execute("SET synchronous_commit = on");
}

absl::Status PostgresConnection::Begin() {
  const absl::Status status = Execute("BEGIN");
  if (status.ok() || !IsLost()) return status;
  // Nothing has been done yet, so that it may begin again on a new connection.
  QUANTRY_RETURN_IF_ERROR(Reconnect());
  return Execute("BEGIN");
}

SqlConnection::Transaction PostgresConnection::TransactionState() const {
  switch (PQtransactionStatus(connection_)) {
    case PQTRANS_INTRANS:
    case PQTRANS_ACTIVE:
      return Transaction::kOpen;
    case PQTRANS_INERROR:
      return Transaction::kFailed;
    default:
      return Transaction::kNone;
  }
}

std::unique_ptr<SqlCursor> PostgresConnection::MakeCursor(const std::string& sql, Keep keep) {
  const auto found = names_.find(sql);
  if (found != names_.end()) {
    return std::make_unique<PostgresCursor>(connection_, found->second, absl::OkStatus());
  }
  // The unnamed statement lives until the next one of that kind.
  const std::string name = keep == Keep::kNothing ? "" : absl::StrCat("q", names_.size());
  absl::Status status = Prepare(name, sql);
  if (status.ok() && keep == Keep::kStatement) names_.emplace(sql, name);
  return std::make_unique<PostgresCursor>(connection_, name, std::move(status));
}

absl::Status PostgresConnection::Prepare(const std::string& name, const std::string& sql) {
  const std::string text = Numbered(sql);
  return CheckResult(connection_,
                     Own(PQprepare(connection_, name.c_str(), text.c_str(), 0, nullptr)).get());
}

absl::Status PostgresConnection::LockName(const std::string& name) {
  return SqlConnection::Prepare("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))")
      .BindText(name)
      .Run();
}

absl::Status PostgresConnection::LockSchema() {
  QUANTRY_RETURN_IF_ERROR(Execute(kSchemaLock));
  return Execute("CREATE TABLE IF NOT EXISTS quantry_schema (version BIGINT NOT NULL)");
}

absl::StatusOr<int64_t> PostgresConnection::SchemaVersion() {
  SqlStatement row = SqlConnection::Prepare("SELECT coalesce(max(version), 0) FROM quantry_schema",
                                            Keep::kNothing);
  QUANTRY_RETURN_IF_ERROR(row.Step().status());
  return row.Int(0);
}

absl::Status PostgresConnection::SetSchemaVersion(int64_t version) {
  return Execute(absl::StrCat("DELETE FROM quantry_schema; INSERT INTO quantry_schema VALUES (",
                              version, ")"));
}

std::string PostgresConnection::TranslateSchema(const std::string& sql) const {
  // Texts compare by bytes, as in SQLite, whatever the database's collation is.
  return absl::StrReplaceAll(sql, {{" INTEGER", " BIGINT"},
                                   {" TEXT", " TEXT COLLATE \"C\""},
                                   {" BLOB", " BYTEA"},
                                   {" WITHOUT ROWID", ""},
                                   // SQLite does not check them unless it is told to.
                                   {" REFERENCES jobs (id)", ""}});
}

absl::Status PostgresConnection::Notify(const std::string& payload) {
  return SqlConnection::Prepare("SELECT pg_notify(?, ?)")
      .BindText(kChannel)
      .BindText(payload)
      .Run();
}

}  // namespace quantry::server
