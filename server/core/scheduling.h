#ifndef QUANTRY_SERVER_CORE_SCHEDULING_H_
#define QUANTRY_SERVER_CORE_SCHEDULING_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

// Which job a free device takes, and which one has to make room: pure functions of what is waiting,
// what runs and who is there. docs/scheduling.md explains the policy to users.
namespace quantry::server {

// A point of priority is worth as much as a minute of waiting: that is how priorities age.
inline constexpr absl::Duration kPointOfPriority = absl::Minutes(1);

// Points that each device in use takes from the waiting jobs of its namespace, divided by the
// namespace's weight.
inline constexpr double kPointsPerDeviceInUse = 10;

// A running job makes room only for one whose priority is larger by this.
inline constexpr int32_t kPreemptionGap = 100;

// A job's place among those of its namespace, larger first: microseconds, of priority as time,
// minus when it began to wait. Time alone does not change the order of two jobs, so that it can be
// indexed.
int64_t QueueRank(int32_t priority, absl::Time queued_since);

// A waiting job, as the policy sees it.
struct QueuedJob {
  std::string id;
  std::string name_space;
  int32_t priority = 0;
  int64_t rank = 0;                 // QueueRank
  std::string device_kind;          // empty: any
  int64_t device_memory_bytes = 0;  // least memory of the device; 0: any
  int32_t device_count = 1;         // that it counts as against its namespace
  std::vector<std::string> crashed_workers;
  int64_t lease_epoch = 0;    // of its last lease
  int32_t backoff = 0;        // failed attempts after which it waits
  absl::Duration not_before;  // monotonic; after a failed attempt
};

// A worker's device, as the policy sees it.
struct DeviceView {
  std::string id;
  std::string kind;
  int64_t memory_bytes = 0;  // 0: unknown, which fits everything
};

// A worker that is heard of, as the policy sees it.
struct WorkerView {
  std::string id;
  std::vector<DeviceView> devices;
  bool draining = false;  // takes no further job
};

// What a namespace may have and has.
struct NamespaceShare {
  double weight = 1;  // > 0; with twice the weight it gets twice the devices
  std::optional<int32_t> max_devices;
  int32_t devices_in_use = 0;
};
using Shares = std::map<std::string, NamespaceShare, std::less<>>;

// Whether a job may run on such a device.
bool FitsDevice(const QueuedJob& job, const DeviceView& device);

// Whether the job's namespace may use as many devices as the job needs.
bool WithinQuota(const QueuedJob& job, const Shares& shares);

// Where the job stands among all that wait, larger first: its rank less what its namespace uses.
double ShareRank(const QueuedJob& job, const Shares& shares);

// The index in `queue` of the job that a free device of worker `worker_id` takes at monotonic time
// `now`: largest ShareRank, then oldest (smallest id), of those that fit and are within quota. A
// job whose attempts crashed on this worker waits for another one, if `alive` has one that fits and
// has not lost it.
std::optional<size_t> ChooseJob(absl::Span<const QueuedJob> queue, absl::string_view worker_id,
                                const DeviceView& device, absl::Span<const WorkerView> alive,
                                const Shares& shares, absl::Duration now);

// Why a job waits, for people. `jobs_ahead`: queued jobs of larger rank; -1: not counted.
std::string ExplainWait(const QueuedJob& job, int64_t jobs_ahead,
                        absl::Span<const WorkerView> alive, const Shares& shares,
                        absl::Duration now);

// A job that a worker holds, as the policy sees it.
struct RunningJob {
  std::string id;
  int32_t priority = 0;
  DeviceView device;
  absl::Duration since;   // monotonic
  bool yielding = false;  // was asked to make room
};

// The ids of running jobs that are to make room at `now`, so that jobs of much higher priority need
// not wait: for each waiting job, best first, that neither a free device nor one that is being
// given up will take, the running job of least priority, the youngest of several.
std::vector<std::string> PlanPreemption(absl::Span<const QueuedJob> queue,
                                        absl::Span<const RunningJob> running,
                                        absl::Span<const DeviceView> free, const Shares& shares,
                                        absl::Duration now);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_SCHEDULING_H_
