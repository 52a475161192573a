#ifndef QUANTRY_WORKER_AGENT_ATTEMPT_H_
#define QUANTRY_WORKER_AGENT_ATTEMPT_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/transfer/blob_transfer.h"
#include "common/clock.h"
#include "grpcpp/channel.h"
#include "quantry/v1/worker_service.pb.h"
#include "worker/agent/blob_cache.h"
#include "worker/agent/checkpoint_uploader.h"
#include "worker/agent/data_folder.h"
#include "worker/agent/event_queue.h"
#include "worker/agent/event_reporter.h"
#include "worker/agent/judgement.h"
#include "worker/agent/lease_keeper.h"
#include "worker/agent/trainer_run.h"
#include "worker/agent/worker_api.h"
#include "worker/agent/worker_metrics.h"
#include "worker/agent/worker_options.h"

namespace quantry::agent {

// What all attempts of a worker share; everything outlives them.
struct WorkerEnvironment {
  const WorkerOptions& options;
  const DataFolder& folder;
  BlobCache& cache;
  WorkerApi& api;
  std::shared_ptr<grpc::Channel> channel;
  WorkerMetrics& metrics;
  const Clock& clock;
  std::function<bool()> stopping;  // whether the worker is to end; thread-safe
};

// One attempt at a job, from lease to FinishAttempt. Used once, by one thread, which starts the
// trainer and so must live longer than it.
class Attempt {
 public:
  Attempt(const WorkerEnvironment& environment, v1::AcquireLeaseResponse work, std::string device,
          LeaseTiming timing);

  // Blocks until the attempt is over, whatever happens to it; nothing of it is left in the data
  // folder then.
  AttemptOutcome Run();

 private:
  // Makes the attempt's folder, fetches what the trainer needs and writes its spec there.
  absl::Status Prepare();
  absl::Status FetchModel(v1::TrainerSpec& spec);
  absl::Status FetchCheckpoint(v1::TrainerSpec& spec);
  Judgement Train(v1::FinishAttemptRequest& request);
  absl::Status UploadArtifacts(const TrainerOutcome& trainer,
                               v1::FinishAttemptRequest::Success& success);
  void OnEvent(v1::TrainerEvent event);
  void CountProgress(const v1::Progress& progress);
  void Log(v1::LogLine::Level level, std::string message);
  // Tells the server how it ended, until it knows or the lease is lost.
  AttemptOutcome Finish(Judgement judgement, v1::FinishAttemptRequest& request);

  // What the trainer is to do now.
  StopRequest WantedStop() const;
  // Lets the last checkpoint reach the server where that is of use.
  void SettleCheckpoints(const Judgement& judgement);
  StopCauses Causes() const;
  absl::StatusOr<std::string> Upload(const std::filesystem::path& file,
                                     std::function<bool()> cancelled) const;
  absl::Status Download(const std::string& sha256, const std::filesystem::path& file) const;

  const WorkerEnvironment& environment_;
  const v1::AcquireLeaseResponse work_;
  const std::string device_;
  LeaseKeeper keeper_;
  EventQueue queue_;
  EventReporter reporter_;
  std::filesystem::path folder_;  // empty before Prepare made it
  std::atomic<bool> checkpoints_are_vain_ = false;
  std::optional<CheckpointUploader> checkpoints_;  // while the trainer runs
  std::optional<int64_t> steps_done_;              // of training; absent before the first progress
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_ATTEMPT_H_
