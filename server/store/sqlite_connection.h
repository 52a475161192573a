#ifndef QUANTRY_SERVER_STORE_SQLITE_CONNECTION_H_
#define QUANTRY_SERVER_STORE_SQLITE_CONNECTION_H_

#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>

#include "server/store/sql_connection.h"

struct sqlite3;
struct sqlite3_stmt;

namespace quantry::server {

// A connection to a SQLite file in WAL mode with synchronous=FULL.
class SqliteConnection final : public SqlConnection {
 public:
  enum class Access { kReadWrite, kReadOnly };

  // Opens the file; kReadWrite makes it if it does not exist.
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::filesystem::path& path,
                                                                Access access);
  ~SqliteConnection() override;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  absl::Status Execute(const std::string& sql) override;
  absl::Status Begin() override { return Execute("BEGIN IMMEDIATE"); }
  Transaction TransactionState() const override;
  absl::StatusOr<int64_t> SchemaVersion() override;
  absl::Status SetSchemaVersion(int64_t version) override;

 private:
  explicit SqliteConnection(sqlite3* database) : database_(database) {}

  std::unique_ptr<SqlCursor> MakeCursor(const std::string& sql, Keep keep) override;

  sqlite3* database_;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQLITE_CONNECTION_H_
