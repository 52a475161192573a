#ifndef QUANTRY_SERVER_STORE_POSTGRES_CONNECTION_H_
#define QUANTRY_SERVER_STORE_POSTGRES_CONNECTION_H_

#include <memory>
#include <string>
#include <unordered_map>

#include "server/store/sql_connection.h"

struct pg_conn;

namespace quantry::server {

// A connection to a PostgreSQL database, by libpq. Statements are prepared once and their values
// travel in binary form; commits are synchronous, whatever the role's default is.
class PostgresConnection final : public SqlConnection {
 public:
  // The channel on which servers tell each other of changes.
  static constexpr char kChannel[] = "quantry";

  // Connects to a libpq URL, "postgresql://USER@HOST:PORT/DATABASE?sslmode=...". UNAVAILABLE if
  // that fails; errors never show the URL, which may hold a password.
  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Open(const std::string& url);
  ~PostgresConnection() override;
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  absl::Status Execute(const std::string& sql) override;
  absl::Status Begin() override;
  Transaction TransactionState() const override;
  bool IsLost() const override;
  absl::Status Reconnect() override;
  absl::string_view ForUpdate() const override { return " FOR UPDATE"; }
  absl::Status LockName(const std::string& name) override;
  absl::StatusOr<int64_t> SchemaVersion() override;
  absl::Status SetSchemaVersion(int64_t version) override;
  absl::Status LockSchema() override;
  std::string TranslateSchema(const std::string& sql) const override;
  absl::Status Notify(const std::string& payload) override;

  // libpq's connection, for what only PostgreSQL has.
  pg_conn* handle() const { return connection_; }

 private:
  explicit PostgresConnection(pg_conn* connection) : connection_(connection) {}

  absl::Status Prepare(const std::string& name, const std::string& sql);
  std::unique_ptr<SqlCursor> MakeCursor(const std::string& sql, Keep keep) override;

  pg_conn* connection_;
  std::unordered_map<std::string, std::string> names_;  // text -> name of the prepared statement
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_POSTGRES_CONNECTION_H_
