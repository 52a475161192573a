#include "server/store/quota_store.h"

#include "common/status_macros.h"

namespace quantry::server {

absl::Status QuotaStore::Put(const v1::Quota& quota) {
  return database_->Write([&](SqlConnection& connection) {
    return connection
        .Prepare(
            "INSERT INTO quotas (namespace, quota) VALUES (?, ?) ON CONFLICT (namespace) DO "
            "UPDATE SET quota = excluded.quota")
        .BindText(quota.namespace_())
        .BindBlob(quota.SerializeAsString())
        .Run();
  });
}

absl::StatusOr<std::vector<v1::Quota>> QuotaStore::List() {
  std::vector<v1::Quota> quotas;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      "SELECT quota FROM quotas ORDER BY namespace", SqlConnection::Keep::kStatement,
      [](SqlStatement&) {}, [&] { quotas.clear(); },
      [&](SqlStatement& row) -> absl::Status {
        if (quotas.emplace_back().ParseFromString(row.Bytes(0))) return absl::OkStatus();
        return absl::DataLossError("database: a quota is broken");
      }));
  return quotas;
}

}  // namespace quantry::server
