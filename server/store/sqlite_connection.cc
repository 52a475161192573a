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

// A statement of the cache, reset at the end of its use, or one that ends with it.
class SqliteCursor final : public SqlCursor {
 public:
  SqliteCursor(sqlite3* database, sqlite3_stmt* statement, int prepare_code, bool owned)
      : database_(database), statement_(statement), code_(prepare_code), owned_(owned) {}
  ~SqliteCursor() override {
    if (owned_) {
      sqlite3_finalize(statement_);
    } else if (statement_ != nullptr) {
      sqlite3_reset(statement_);
      sqlite3_clear_bindings(statement_);
    }
  }
  SqliteCursor(const SqliteCursor&) = delete;
  SqliteCursor& operator=(const SqliteCursor&) = delete;

  void BindInt(int64_t value) override {
    Note(sqlite3_bind_int64(statement_, next_parameter_++, value));
  }
  void BindText(absl::string_view value) override {
    Note(sqlite3_bind_text64(statement_, next_parameter_++, value.data(), value.size(),
                             SQLITE_TRANSIENT, SQLITE_UTF8));
  }
  void BindBlob(absl::string_view value) override {
    Note(sqlite3_bind_blob64(statement_, next_parameter_++, value.data(), value.size(),
                             SQLITE_TRANSIENT));
  }

  absl::StatusOr<bool> Step() override {
    if (code_ != SQLITE_OK) return SqliteError(database_, code_);
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return SqliteError(database_, code);
  }

  int64_t Int(int column) const override { return sqlite3_column_int64(statement_, column); }
  std::string Bytes(int column) const override {
    const void* data = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    return data == nullptr ? std::string()
                           : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
  }

 private:
  void Note(int code) {
    if (code_ == SQLITE_OK) code_ = code;
  }

  sqlite3* database_;
  sqlite3_stmt* statement_;
  int code_;
  const bool owned_;
  int next_parameter_ = 1;
};

}  // namespace

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

SqlConnection::Transaction SqliteConnection::TransactionState() const {
  return sqlite3_get_autocommit(database_) == 0 ? Transaction::kOpen : Transaction::kNone;
}

std::unique_ptr<SqlCursor> SqliteConnection::MakeCursor(const std::string& sql, Keep keep) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) {
    return std::make_unique<SqliteCursor>(database_, found->second, SQLITE_OK, /*owned=*/false);
  }
  sqlite3_stmt* statement = nullptr;
  const bool kept = keep == Keep::kStatement;
  const int code = sqlite3_prepare_v3(database_, sql.c_str(), static_cast<int>(sql.size()),
                                      kept ? SQLITE_PREPARE_PERSISTENT : 0, &statement, nullptr);
  if (code == SQLITE_OK && kept) statements_.emplace(sql, statement);
  return std::make_unique<SqliteCursor>(database_, statement, code, !kept);
}

absl::StatusOr<int64_t> SqliteConnection::SchemaVersion() {
  SqlStatement statement = Prepare("PRAGMA user_version", Keep::kNothing);
  QUANTRY_RETURN_IF_ERROR(statement.Step().status());
  return statement.Int(0);
}

absl::Status SqliteConnection::SetSchemaVersion(int64_t version) {
  return Execute(absl::StrCat("PRAGMA user_version=", version));
}

}  // namespace quantry::server
