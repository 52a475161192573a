#ifndef QUANTRY_SERVER_CORE_LEASE_TABLE_H_
#define QUANTRY_SERVER_CORE_LEASE_TABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace quantry::server {

// A lease as a shared store shows it.
struct StoredLease {
  std::string job_id;
  int64_t epoch = 0;
  int64_t beat = 0;  // grows with every renewal, by whatever server
};

// When the leases in the store run out, on monotonic time. Who holds a lease is in the store alone;
// its deadline is here, because monotonic time means nothing after a restart or on another machine:
// a server that starts, or that sees a renewal by another server, gives the lease a full duration.
// Thread-safe.
class LeaseTable {
 public:
  struct Entry {
    std::string job_id;
    int64_t epoch = 0;
    std::string worker_id;
    std::string device;        // Device.id
    absl::Duration run_limit;  // monotonic time at which the job has run too long; or infinite
    std::string name_space;
    int32_t priority = 0;
    int32_t device_count = 1;  // that the job counts as against its namespace
    bool yielding = false;     // it was asked to make room
    absl::Duration granted;    // filled in by Grant
  };

  explicit LeaseTable(absl::Duration lease_duration) : lease_duration_(lease_duration) {}

  // Starts a lease at monotonic time `now`; replaces an older one of the same job.
  void Grant(Entry entry, absl::Duration now) ABSL_LOCKS_EXCLUDED(mutex_);

  // Gives the lease a full duration from `now`. False if there is none with this epoch or it has
  // run out already: it can't come back to life.
  bool Renew(absl::string_view job_id, int64_t epoch, absl::Duration now)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes note of what the store held when it was read, at `now`: a lease whose beat has changed
  // since the last call has been renewed, one that is missing is over, unless it was granted since.
  // Returns those that are not in the table yet.
  std::vector<StoredLease> Observe(const std::vector<StoredLease>& stored, absl::Duration now)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The beat of the lease when it was last observed; 0 if it never was.
  int64_t Beat(absl::string_view job_id, int64_t epoch) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the lease is in the table, live or run out.
  bool Knows(absl::string_view job_id, int64_t epoch) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the lease has not run out at `now`.
  bool IsLive(absl::string_view job_id, int64_t epoch, absl::Duration now) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the lease; nothing happens if the job has a newer one.
  void Release(absl::string_view job_id, int64_t epoch) ABSL_LOCKS_EXCLUDED(mutex_);

  // Leases that have run out at `now`. They stay until they are released.
  std::vector<Entry> Expired(absl::Duration now) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Live leases whose job has reached its run_limit at `now`.
  std::vector<Entry> OverRunLimit(absl::Duration now) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The lease on this device of this worker, or on any of its devices if `device` is empty.
  std::optional<Entry> HeldBy(absl::string_view worker_id, absl::string_view device) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // All leases, live or run out.
  std::vector<Entry> All() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Notes that the lease's job was asked to make room.
  void SetYielding(absl::string_view job_id, int64_t epoch) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Duration lease_duration() const { return lease_duration_; }

 private:
  struct Held {
    Entry entry;
    absl::Duration deadline;
    std::optional<int64_t> beat = std::nullopt;
  };

  const absl::Duration lease_duration_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Held, std::less<>> leases_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_LEASE_TABLE_H_
