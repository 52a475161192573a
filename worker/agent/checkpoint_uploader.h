#ifndef QUANTRY_WORKER_AGENT_CHECKPOINT_UPLOADER_H_
#define QUANTRY_WORKER_AGENT_CHECKPOINT_UPLOADER_H_

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "quantry/v1/event.pb.h"

namespace quantry::agent {

// Brings checkpoints to the server on a thread of its own, so that neither training nor events
// wait. While one is on its way only the newest other one is kept. Thread-safe.
class CheckpointUploader {
 public:
  // Uploads the file and returns its SHA-256; runs on the uploader's thread.
  using Upload = std::function<absl::StatusOr<std::string>(const std::filesystem::path&)>;
  // The checkpoint, now with `blob`, is stored.
  using Stored = std::function<void(const v1::CheckpointSaved&, absl::Duration upload_time)>;

  // `folder`: where files wait, on the checkpoint's file system.
  CheckpointUploader(std::filesystem::path folder, Upload upload, Stored stored);
  // Drops what waits; waits for the upload under way (cancel that through `Upload` itself).
  ~CheckpointUploader();

  // Takes the checkpoint as it is now, by a hard link: the trainer only ever replaces the file.
  absl::Status Offer(const v1::CheckpointSaved& event, const std::filesystem::path& file);

  // Waits until everything offered is stored or has failed. False: time was up (steady time, below
  // 100 years).
  bool WaitUntilIdle(absl::Duration timeout);

 private:
  struct Pending {
    v1::CheckpointSaved event;
    std::filesystem::path file;
  };
  void Run();
  // Waits for a checkpoint to upload; nothing: no more are wanted.
  std::optional<Pending> TakeNext();
  void UploadOne(Pending& next);

  const std::filesystem::path folder_;
  const Upload upload_;
  const Stored stored_;
  // Not absl::Mutex, whose timed waits follow jumps of the wall clock. Guards what is below.
  std::mutex mutex_;
  std::condition_variable changed_;
  int offered_ = 0;
  std::optional<Pending> pending_;
  bool uploading_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_CHECKPOINT_UPLOADER_H_
