#ifndef QUANTRY_SERVER_STORE_SQL_CONNECTION_H_
#define QUANTRY_SERVER_STORE_SQL_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace quantry::server {

// A statement of one database in use; see SqlStatement.
class SqlCursor {
 public:
  virtual ~SqlCursor() = default;
  virtual void BindInt(int64_t value) = 0;
  virtual void BindText(absl::string_view value) = 0;
  virtual void BindBlob(absl::string_view value) = 0;
  virtual absl::StatusOr<bool> Step() = 0;
  virtual int64_t Int(int column) const = 0;
  virtual std::string Bytes(int column) const = 0;
};

// A prepared statement in use. Parameters are bound in order, then Step is called until it says
// there is no further row. An error while preparing or binding shows at Step.
class SqlStatement {
 public:
  explicit SqlStatement(std::unique_ptr<SqlCursor> cursor) : cursor_(std::move(cursor)) {}

  SqlStatement& BindInt(int64_t value) {
    cursor_->BindInt(value);
    return *this;
  }
  SqlStatement& BindText(absl::string_view value) {
    cursor_->BindText(value);
    return *this;
  }
  SqlStatement& BindBlob(absl::string_view value) {
    cursor_->BindBlob(value);
    return *this;
  }

  // True: there is a row to read. False: the statement is done.
  absl::StatusOr<bool> Step() { return cursor_->Step(); }
  // Runs a statement whose rows, if it returns any, are of no interest.
  absl::Status Run() { return cursor_->Step().status(); }

  int64_t Int(int column) const { return cursor_->Int(column); }
  std::string Bytes(int column) const { return cursor_->Bytes(column); }  // of a text or a blob

 private:
  std::unique_ptr<SqlCursor> cursor_;
};

// One connection to a SQL database. A commit that returned OK survives a power loss. What differs
// between databases is here, so that all other SQL is written once: in the dialect that they share,
// with `?` for parameters and ON CONFLICT for replacements. Not thread-safe: one thread at a time.
//
// Errors: RESOURCE_EXHAUSTED for a full disk, DATA_LOSS for a broken database, UNAVAILABLE for an
// I/O error or a database that can't be reached, ABORTED where another server's transaction was in
// the way (a deadlock; the transaction may be tried again).
class SqlConnection {
 public:
  // How long a prepared statement is kept: texts that requests make up must not be.
  enum class Keep { kStatement, kNothing };

  virtual ~SqlConnection() = default;

  // Runs SQL without parameters and rows; several statements may be separated by ';'.
  virtual absl::Status Execute(const std::string& sql) = 0;

  // Prepares `sql`, or takes it from the cache. One use at a time of each text.
  SqlStatement Prepare(const std::string& sql, Keep keep = Keep::kStatement) {
    if (!absl::StartsWith(sql, "SELECT")) ++writes_;
    return SqlStatement(MakeCursor(sql, keep));
  }

  // How many statements were prepared that change something.
  int64_t writes() const { return writes_; }

  // Starts a transaction that will write; connects again first if the connection is lost.
  virtual absl::Status Begin() = 0;
  // A database may end a transaction by itself (SQLite on a full disk), or keep a failed one open
  // that can only be rolled back (PostgreSQL after any error).
  enum class Transaction { kNone, kOpen, kFailed };
  virtual Transaction TransactionState() const = 0;

  // Whether the connection is lost, so that a reading is worth repeating after Reconnect.
  virtual bool IsLost() const { return false; }
  virtual absl::Status Reconnect() { return absl::OkStatus(); }

  // What is appended to a SELECT of a row that this transaction will change.
  virtual absl::string_view ForUpdate() const { return ""; }

  // Within a transaction that writes: keeps other transactions that lock the same name waiting
  // until this one ends.
  virtual absl::Status LockName(const std::string& name) {
    static_cast<void>(name);
    return absl::OkStatus();
  }

  // The schema's version; 0 for an empty database.
  virtual absl::StatusOr<int64_t> SchemaVersion() = 0;
  virtual absl::Status SetSchemaVersion(int64_t version) = 0;
  // Within a transaction: keeps other servers from migrating at the same time.
  virtual absl::Status LockSchema() { return absl::OkStatus(); }
  // Column types and table options, given in SQLite's words, in the database's own.
  virtual std::string TranslateSchema(const std::string& sql) const { return sql; }

  // Within a transaction: tells the servers that listen on the same database, once it commits.
  virtual absl::Status Notify(const std::string& payload) {
    static_cast<void>(payload);
    return absl::OkStatus();
  }

 private:
  virtual std::unique_ptr<SqlCursor> MakeCursor(const std::string& sql, Keep keep) = 0;

  int64_t writes_ = 0;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQL_CONNECTION_H_
