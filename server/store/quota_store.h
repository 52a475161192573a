#ifndef QUANTRY_SERVER_STORE_QUOTA_STORE_H_
#define QUANTRY_SERVER_STORE_QUOTA_STORE_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quantry/v1/admin_service.pb.h"
#include "server/store/sql_database.h"

namespace quantry::server {

// What namespaces may have, in the database of the jobs. Thread-safe. Errors are those of JobStore.
class QuotaStore {
 public:
  explicit QuotaStore(std::shared_ptr<SqlDatabase> database) : database_(std::move(database)) {}

  // Adds or replaces the namespace's quota.
  absl::Status Put(const v1::Quota& quota);
  // All, by namespace.
  absl::StatusOr<std::vector<v1::Quota>> List();

 private:
  const std::shared_ptr<SqlDatabase> database_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_QUOTA_STORE_H_
