#ifndef QUANTRY_SERVER_STORE_SQLITE_SCHEMA_H_
#define QUANTRY_SERVER_STORE_SQLITE_SCHEMA_H_

#include "absl/status/status.h"
#include "server/store/sqlite_connection.h"

namespace quantry::server {

// Brings the database to this release's schema, one migration per transaction; its version is kept
// in PRAGMA user_version. FAILED_PRECONDITION for a database of a newer release.
absl::Status MigrateSqlite(SqliteConnection& connection);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQLITE_SCHEMA_H_
