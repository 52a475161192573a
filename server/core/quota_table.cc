#include "server/core/quota_table.h"

#include "absl/strings/str_cat.h"
#include "server/core/namespace.h"
#include "server/core/violations.h"

namespace quantry::server {
namespace {

constexpr double kMaxWeight = 1000;

double WeightOf(const v1::Quota& quota) { return quota.weight() == 0 ? 1 : quota.weight(); }

}  // namespace

void QuotaTable::Replace(const std::vector<v1::Quota>& quotas) {
  absl::MutexLock lock(&mutex_);
  quotas_.clear();
  for (const v1::Quota& quota : quotas) quotas_[quota.namespace_()] = quota;
}

v1::Quota QuotaTable::Find(absl::string_view name_space) const {
  absl::MutexLock lock(&mutex_);
  const auto found = quotas_.find(name_space);
  return found == quotas_.end() ? v1::Quota() : found->second;
}

Shares QuotaTable::ShareOut(const std::vector<LeaseTable::Entry>& leases) const {
  Shares shares;
  for (const LeaseTable::Entry& lease : leases) {
    shares[lease.name_space].devices_in_use += lease.device_count;
  }
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, quota] : quotas_) {
    NamespaceShare& share = shares[name];
    share.weight = WeightOf(quota);
    if (quota.has_max_devices()) share.max_devices = quota.max_devices();
  }
  return shares;
}

absl::Status CheckQuota(const v1::Quota& quota) {
  Violations violations;
  violations.Require(IsNamespace(quota.namespace_()), "quota.namespace",
                     absl::StrCat("'", quota.namespace_().substr(0, 80), "'"),
                     "[a-z][a-z0-9-]{0,62}");
  violations.Require(quota.weight() >= 0 && quota.weight() <= kMaxWeight, "quota.weight",
                     quota.weight(), "above 0, at most 1000; 0: 1");
  violations.Require(quota.max_devices() >= 0, "quota.max_devices", quota.max_devices(),
                     "0 or more, or absent");
  violations.Require(quota.max_waiting_jobs() >= 0, "quota.max_waiting_jobs",
                     quota.max_waiting_jobs(), "0 or more, or absent");
  return violations.ToStatus("INVALID_QUOTA");
}

}  // namespace quantry::server
