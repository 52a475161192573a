#ifndef QUANTRY_WORKER_AGENT_WORKER_H_
#define QUANTRY_WORKER_AGENT_WORKER_H_

#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "grpcpp/channel.h"
#include "quantry/v1/worker_service.pb.h"
#include "worker/agent/blob_cache.h"
#include "worker/agent/data_folder.h"
#include "worker/agent/lease_keeper.h"
#include "worker/agent/worker_api.h"
#include "worker/agent/worker_metrics.h"
#include "worker/agent/worker_options.h"

namespace quantry::agent {

// The worker: registers, then takes jobs on each of its devices, one at a time per device, until it
// is stopped. Nothing that a job, its trainer or the server does ends it.
class Worker {
 public:
  // Checks the options, locks the data folder, finds the devices. `registry` and `clock` must
  // outlive the worker.
  static absl::StatusOr<std::unique_ptr<Worker>> Create(const WorkerOptions& options,
                                                        prometheus::Registry& registry,
                                                        const Clock& clock = SystemClock());

  // Blocks until Stop was called and every attempt has ended. Call once.
  void Run();

  // Takes no more jobs; ends running trainers, saves what they did and gives the jobs back.
  // Thread-safe; returns at once.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::vector<v1::Device>& devices() const { return devices_; }
  const std::string& id() const { return folder_->worker_id(); }

 private:
  Worker(const WorkerOptions& options, prometheus::Registry& registry, const Clock& clock,
         std::unique_ptr<DataFolder> folder, std::vector<v1::Device> devices,
         std::shared_ptr<grpc::Channel> channel);

  // What the server said at the `number`th registration; the first is 1, 0 means none yet.
  struct Registration {
    int number = 0;
    LeaseTiming timing;
  };

  // Registers, trying until it works or the worker is stopped, unless that has happened since
  // registration `seen`.
  void Register(int seen) ABSL_LOCKS_EXCLUDED(mutex_, registering_);
  absl::StatusOr<LeaseTiming> TryRegister();
  Registration registration() const ABSL_LOCKS_EXCLUDED(mutex_);
  void ServeDevice(const std::string& device);
  // A sign of life now and then, also of a worker whose devices are all idle.
  void SendSignsOfLife();
  bool IsStopping() const ABSL_LOCKS_EXCLUDED(mutex_);

  const WorkerOptions options_;
  const Clock& clock_;
  const std::unique_ptr<DataFolder> folder_;
  const std::vector<v1::Device> devices_;
  const std::shared_ptr<grpc::Channel> channel_;
  WorkerMetrics metrics_;
  BlobCache cache_;
  WorkerApi api_;
  absl::Mutex registering_;  // held while one thread registers; taken before mutex_
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Registration registration_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_WORKER_H_
