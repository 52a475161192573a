#ifndef QUANTRY_SERVER_CORE_WORKER_TABLE_H_
#define QUANTRY_SERVER_CORE_WORKER_TABLE_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "quantry/v1/worker_service.pb.h"
#include "server/core/scheduling.h"

namespace quantry::server {

// A worker as the store shows it.
struct StoredWorker {
  v1::RegisterWorkerRequest registration;
  int64_t beat = 0;       // grows with its signs of life, at whatever server
  bool draining = false;  // an administrator wants it to take no further job
};

// The registered workers and when each was last heard of, on monotonic time. Thread-safe.
class WorkerTable {
 public:
  struct Entry {
    v1::RegisterWorkerRequest registration;
    bool alive = false;
    bool draining = false;
  };

  // `alive_for`: how long a worker counts as alive after a sign of life.
  explicit WorkerTable(absl::Duration alive_for) : alive_for_(alive_for) {}

  // Adds or replaces a worker. `heard`: its last sign of life, or nothing for one read from the
  // store, which counts as dead until it is heard of.
  void Register(v1::RegisterWorkerRequest registration, std::optional<absl::Duration> heard)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes note of what a shared store holds at `now`: a worker whose beat has changed since the
  // last call has been heard of by another server. The first call tells nothing of that.
  void Observe(const std::vector<StoredWorker>& stored, absl::Duration now)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether a sign of life of the worker should be noted in the shared store now: it is not when
  // that was done a short time ago, which this call notes.
  bool IsBeatDue(absl::string_view worker_id, absl::Duration now) ABSL_LOCKS_EXCLUDED(mutex_);

  // False if the worker is not registered.
  bool SetDraining(absl::string_view worker_id, bool draining) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsDraining(absl::string_view worker_id) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Notes a sign of life. False if the worker is not registered.
  bool Touch(absl::string_view worker_id, absl::Duration now) ABSL_LOCKS_EXCLUDED(mutex_);

  // The device with this id on this worker, if there is one.
  std::optional<v1::Device> FindDevice(absl::string_view worker_id,
                                       absl::string_view device_id) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<Entry> All(absl::Duration now) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Those alive, as the scheduling policy sees them.
  std::vector<WorkerView> Alive(absl::Duration now) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Known {
    v1::RegisterWorkerRequest registration;
    std::optional<absl::Duration> heard;
    bool draining = false;
    std::optional<absl::Duration> beaten = std::nullopt;  // last noted in a shared store
    std::optional<int64_t> beat = std::nullopt;           // as it was last observed there
  };
  bool IsAlive(const Known& known, absl::Duration now) const;

  const absl::Duration alive_for_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Known, std::less<>> workers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_WORKER_TABLE_H_
