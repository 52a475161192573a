#ifndef QUANTRY_SERVER_CORE_QUOTA_TABLE_H_
#define QUANTRY_SERVER_CORE_QUOTA_TABLE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "quantry/v1/admin_service.pb.h"
#include "server/core/lease_table.h"
#include "server/core/scheduling.h"

namespace quantry::server {

// The quotas, as they were last read from the store. Thread-safe.
class QuotaTable {
 public:
  void Replace(const std::vector<v1::Quota>& quotas) ABSL_LOCKS_EXCLUDED(mutex_);

  // The namespace's quota; weight 1 and no limits if it has none.
  v1::Quota Find(absl::string_view name_space) const ABSL_LOCKS_EXCLUDED(mutex_);

  // What each namespace may have and, by the leases, has.
  Shares ShareOut(const std::vector<LeaseTable::Entry>& leases) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, v1::Quota, std::less<>> quotas_ ABSL_GUARDED_BY(mutex_);
};

// INVALID_ARGUMENT, naming the field, for a quota that can't be.
absl::Status CheckQuota(const v1::Quota& quota);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_QUOTA_TABLE_H_
