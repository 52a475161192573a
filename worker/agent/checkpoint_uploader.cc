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
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

absl::Status CheckpointUploader::Offer(const v1::CheckpointSaved& event, const fs::path& file) {
  {
    const std::lock_guard lock(mutex_);
    const fs::path link = folder_ / absl::StrCat("checkpoint.", ++offered_, ".upload");
    std::error_code error;
    fs::create_hard_link(file, link, error);
    if (error) {
      return ErrnoToStatus(error.value(), absl::StrCat("cannot link ", file.string()));
    }
    if (pending_.has_value()) fs::remove(pending_->file, error);
    pending_ = Pending{event, link};
  }
  changed_.notify_all();
  return absl::OkStatus();
}

bool CheckpointUploader::WaitUntilIdle(absl::Duration timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, absl::ToChronoNanoseconds(timeout),
                           [this] { return !pending_.has_value() && !uploading_; });
}

void CheckpointUploader::Run() {
  while (std::optional<Pending> next = TakeNext()) {
    UploadOne(*next);
    {
      const std::lock_guard lock(mutex_);
      uploading_ = false;
    }
    changed_.notify_all();
  }
}

std::optional<CheckpointUploader::Pending> CheckpointUploader::TakeNext() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopped_ || pending_.has_value(); });
  if (stopped_) return std::nullopt;
  uploading_ = true;
  return std::exchange(pending_, std::nullopt);
}

void CheckpointUploader::UploadOne(Pending& next) {
  const absl::Duration start = SystemClock().Monotonic();
  const absl::StatusOr<std::string> sha256 = upload_(next.file);
  std::error_code ignored;
  if (sha256.ok()) {
    next.event.set_blob(*sha256);
    next.event.set_size_bytes(static_cast<int64_t>(fs::file_size(next.file, ignored)));
    stored_(next.event, SystemClock().Monotonic() - start);
  } else if (!absl::IsCancelled(sha256.status())) {  // else nobody needs it any more
    spdlog::warn("checkpoint not uploaded epoch={} step={} error=\"{}\"", next.event.epoch(),
                 next.event.step(),
                 sha256.status().ToString(absl::StatusToStringMode::kWithNoExtraData));
  }
  fs::remove(next.file, ignored);
}

}  // namespace quantry::agent
