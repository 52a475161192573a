#include "server/store/sqlite_connection.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

constexpr int kBusyTimeoutMs = 10'000;

absl::Status SqliteError(sqlite3* database, int code) {
  const std::string message = absl::StrCat(
      "database: ", database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code), " (",
      sqlite3_errstr(code), ")");
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return MakeError(absl::StatusCode::kResourceExhausted, "STORAGE_FULL", message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return MakeError(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return MakeError(absl::StatusCode::kUnavailable, "STORAGE_ERROR", message);
    default:
      return MakeError(absl::StatusCode::kInternal, "STORAGE_ERROR", message);
  }
}

}  // namespace

SqliteStatement::SqliteStatement(sqlite3* database, sqlite3_stmt* statement, int prepare_code)
    : database_(database), statement_(statement), code_(prepare_code) {}

SqliteStatement::~SqliteStatement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void SqliteStatement::Note(int code) {
  if (code_ == SQLITE_OK) code_ = code;
}

SqliteStatement& SqliteStatement::BindInt(int64_t value) {
  Note(sqlite3_bind_int64(statement_, next_parameter_++, value));
  return *this;
}

SqliteStatement& SqliteStatement::BindText(absl::string_view value) {
  Note(sqlite3_bind_text64(statement_, next_parameter_++, value.data(), value.size(),
                           SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

SqliteStatement& SqliteStatement::BindBlob(absl::string_view value) {
  Note(sqlite3_bind_blob64(statement_, next_parameter_++, value.data(), value.size(),
                           SQLITE_TRANSIENT));
  return *this;
}

absl::StatusOr<bool> SqliteStatement::Step() {
  if (code_ != SQLITE_OK) return SqliteError(database_, code_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(database_, code);
}

absl::Status SqliteStatement::Run() { return Step().status(); }

int64_t SqliteStatement::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string SqliteStatement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string()
                         : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(
    const std::filesystem::path& path, Access access) {
  const int flags = SQLITE_OPEN_NOMUTEX |
                    (access == Access::kReadWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                                  : SQLITE_OPEN_READONLY);
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(database));
  if (code != SQLITE_OK) return WithContext(SqliteError(database, code), path.string());
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  if (access == Access::kReadWrite) {
    QUANTRY_RETURN_IF_ERROR(WithContext(
        connection->Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"), path.string()));
  }
  return connection;
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

absl::Status SqliteConnection::Execute(const std::string& sql) {
  const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : SqliteError(database_, code);
}

bool SqliteConnection::InTransaction() const { return sqlite3_get_autocommit(database_) == 0; }

SqliteStatement SqliteConnection::Prepare(const std::string& sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return SqliteStatement(database_, found->second, SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database_, sql.c_str(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code == SQLITE_OK) statements_.emplace(sql, statement);
  return SqliteStatement(database_, statement, code);
}

}  // namespace quantry::server
