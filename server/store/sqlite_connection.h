#ifndef QUANTRY_SERVER_STORE_SQLITE_CONNECTION_H_
#define QUANTRY_SERVER_STORE_SQLITE_CONNECTION_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace quantry::server {

// A prepared statement in use. Parameters are bound in order, then Step is called until it says
// there is no further row; the end of its life resets it. An error while binding shows at Step.
class SqliteStatement {
 public:
  SqliteStatement(sqlite3* database, sqlite3_stmt* statement, int prepare_code);
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  SqliteStatement& BindInt(int64_t value);
  SqliteStatement& BindText(absl::string_view value);
  SqliteStatement& BindBlob(absl::string_view value);

  // True: there is a row to read. False: the statement is done.
  absl::StatusOr<bool> Step();
  // Runs a statement that returns no rows.
  absl::Status Run();

  int64_t Int(int column) const;
  std::string Bytes(int column) const;  // of a text or a blob

 private:
  void Note(int code);

  sqlite3* database_;
  sqlite3_stmt* statement_;
  int code_;
  int next_parameter_ = 1;
};

// One connection to a SQLite database in WAL mode with synchronous=FULL: a commit that returned
// survives a power loss. Not thread-safe: one thread at a time.
class SqliteConnection {
 public:
  enum class Access { kReadWrite, kReadOnly };

  // Opens the file; kReadWrite makes it if it does not exist.
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::filesystem::path& path,
                                                                Access access);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // Runs SQL without parameters and rows; several statements may be separated by ';'.
  absl::Status Execute(const std::string& sql);

  // Whether a transaction is open. SQLite rolls a whole one back by itself when the disk is full or
  // fails.
  bool InTransaction() const;

  // Prepares `sql`, or takes it from the cache. One use at a time of each text.
  SqliteStatement Prepare(const std::string& sql);

 private:
  explicit SqliteConnection(sqlite3* database) : database_(database) {}

  sqlite3* database_;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQLITE_CONNECTION_H_
