#include "worker/agent/checkpoint_uploader.h"

#include <spdlog/spdlog.h>

#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files.h"

namespace quantry::agent {

namespace fs = std::filesystem;

CheckpointUploader::CheckpointUploader(fs::path folder, Upload upload, Stored stored)
    : folder_(std::move(folder)),
      upload_(std::move(upload)),
      stored_(std::move(stored)),
      thread_([this] { Run(); }) {}

CheckpointUploader::~CheckpointUploader() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  thread_.join();
}

absl::Status CheckpointUploader::Offer(const v1::CheckpointSaved& event, const fs::path& file) {
  absl::MutexLock lock(&mutex_);
  const fs::path link = folder_ / absl::StrCat("checkpoint.", ++offered_, ".upload");
  std::error_code error;
  fs::create_hard_link(file, link, error);
  if (error) {
    return ErrnoToStatus(error.value(), absl::StrCat("cannot link ", file.string()));
  }
  if (pending_.has_value()) fs::remove(pending_->file, error);
  pending_ = Pending{event, link};
  return absl::OkStatus();
}

bool CheckpointUploader::WaitUntilIdle(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto is_idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !pending_.has_value() && !uploading_;
  };
  return mutex_.AwaitWithTimeout(absl::Condition(&is_idle), timeout);
}

void CheckpointUploader::Run() {
  while (true) {
    Pending next;
    {
      absl::MutexLock lock(&mutex_);
      const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopped_ || pending_.has_value();
      };
      mutex_.Await(absl::Condition(&has_work));
      if (stopped_) return;
      next = *std::move(pending_);
      pending_.reset();
      uploading_ = true;
    }
    const absl::Duration start = SystemClock().Monotonic();
    const absl::StatusOr<std::string> sha256 = upload_(next.file);
    if (sha256.ok()) {
      std::error_code ignored;
      next.event.set_blob(*sha256);
      next.event.set_size_bytes(static_cast<int64_t>(fs::file_size(next.file, ignored)));
      stored_(next.event, SystemClock().Monotonic() - start);
    } else if (!absl::IsCancelled(sha256.status())) {  // else nobody needs it any more
      spdlog::warn("checkpoint not uploaded epoch={} step={} error=\"{}\"", next.event.epoch(),
                   next.event.step(),
                   sha256.status().ToString(absl::StatusToStringMode::kWithNoExtraData));
    }
    std::error_code ignored;
    fs::remove(next.file, ignored);
    absl::MutexLock lock(&mutex_);
    uploading_ = false;
  }
}

}  // namespace quantry::agent
