#ifndef QUANTRY_SERVER_STORE_SQL_SCHEMA_H_
#define QUANTRY_SERVER_STORE_SQL_SCHEMA_H_

#include "absl/status/status.h"
#include "server/store/sql_connection.h"

namespace quantry::server {

// Brings the database to this release's schema, one migration per transaction. Servers that start
// at the same time on one database take turns. FAILED_PRECONDITION for a database of a newer
// release.
absl::Status MigrateSchema(SqlConnection& connection);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_SQL_SCHEMA_H_
