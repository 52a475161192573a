#include "server/store/memory_blob_store.h"

#include <utility>

#include "common/sha256.h"
#include "common/status_macros.h"

namespace quantry::server {
namespace {

class MemoryReader final : public BlobReader {
 public:
  explicit MemoryReader(std::string content) : content_(std::move(content)) {}

  int64_t size() const override { return static_cast<int64_t>(content_.size()); }

  absl::StatusOr<std::string> Read(int64_t max_bytes) override {
    std::string piece = content_.substr(position_, static_cast<size_t>(max_bytes));
    position_ += piece.size();
    return piece;
  }

 private:
  const std::string content_;
  size_t position_ = 0;
};

}  // namespace

absl::StatusOr<BlobStore::UploadState> MemoryBlobStore::Start(const std::string& sha256,
                                                              int64_t size) {
  const std::string upload = UploadId({sha256, size});
  absl::MutexLock lock(&mutex_);
  if (!blobs_.contains(sha256)) uploads_.try_emplace(upload);
  return State(upload);
}

absl::StatusOr<BlobStore::UploadState> MemoryBlobStore::State(const std::string& upload) const {
  QUANTRY_ASSIGN_OR_RETURN(const UploadTarget target, ParseUploadId(upload));
  const auto blob = blobs_.find(target.sha256);
  if (blob != blobs_.end() && static_cast<int64_t>(blob->second.size()) == target.size) {
    return UploadState{upload, target.size, true};
  }
  const auto found = uploads_.find(upload);
  if (found == uploads_.end()) return UploadNotFound(upload);
  return UploadState{upload, static_cast<int64_t>(found->second.size()), false};
}

absl::StatusOr<BlobStore::UploadState> MemoryBlobStore::Append(const std::string& upload,
                                                               int64_t offset,
                                                               absl::string_view data) {
  QUANTRY_ASSIGN_OR_RETURN(const UploadTarget target, ParseUploadId(upload));
  absl::MutexLock lock(&mutex_);
  QUANTRY_ASSIGN_OR_RETURN(const UploadState state, State(upload));
  if (state.complete) return state;
  QUANTRY_RETURN_IF_ERROR(
      CheckAppend(target, state.committed_size, offset, static_cast<int64_t>(data.size())));
  uploads_[upload].append(data.data(), data.size());
  return State(upload);
}

absl::StatusOr<BlobStore::UploadState> MemoryBlobStore::Finish(const std::string& upload) {
  QUANTRY_ASSIGN_OR_RETURN(const UploadTarget target, ParseUploadId(upload));
  absl::MutexLock lock(&mutex_);
  QUANTRY_ASSIGN_OR_RETURN(const UploadState state, State(upload));
  if (state.complete) return state;
  std::string& content = uploads_[upload];
  if (absl::Status status = CheckFinish(target, state.committed_size, Sha256Hex(content));
      !status.ok()) {
    content.clear();
    return status;
  }
  blobs_[target.sha256] = std::move(content);
  uploads_.erase(upload);
  return State(upload);
}

absl::StatusOr<BlobStore::UploadState> MemoryBlobStore::Query(const std::string& upload) {
  absl::MutexLock lock(&mutex_);
  return State(upload);
}

absl::StatusOr<int64_t> MemoryBlobStore::Size(const std::string& sha256) {
  absl::MutexLock lock(&mutex_);
  const auto found = blobs_.find(sha256);
  if (found == blobs_.end()) return BlobNotFound(sha256);
  return static_cast<int64_t>(found->second.size());
}

absl::StatusOr<std::unique_ptr<BlobReader>> MemoryBlobStore::Open(const std::string& sha256) {
  absl::MutexLock lock(&mutex_);
  const auto found = blobs_.find(sha256);
  if (found == blobs_.end()) return BlobNotFound(sha256);
  return std::make_unique<MemoryReader>(found->second);
}

}  // namespace quantry::server
