#include "server/store/file_blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace quantry::server {
namespace {

namespace fs = std::filesystem;

// The file's size, or -1 if it does not exist.
absl::StatusOr<int64_t> SizeOrMissing(const fs::path& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0) return static_cast<int64_t>(info.st_size);
  if (errno == ENOENT) return -1;
  return ErrnoToStatus(errno, absl::StrCat("cannot stat ", path.string()));
}

// Writes `data` at `offset`; what a failed write left behind is cut off again.
absl::Status WriteAt(const fs::path& path, int64_t offset, absl::string_view data) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoToStatus(errno, absl::StrCat("cannot open ", path.string()));
  absl::Status status;
  int64_t position = offset;
  while (!data.empty()) {
    const ssize_t written = pwrite(fd, data.data(), data.size(), position);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      status = ErrnoToStatus(errno, absl::StrCat("cannot write ", path.string()));
      if (ftruncate(fd, offset) != 0) status = WithContext(status, "and cannot undo it");
      break;
    }
    data.remove_prefix(static_cast<size_t>(written));
    position += written;
  }
  close(fd);
  return status;
}

class FileReader final : public BlobReader {
 public:
  FileReader(int fd, std::string sha256, int64_t size)
      : fd_(fd), sha256_(std::move(sha256)), size_(size) {}
  ~FileReader() override { close(fd_); }

  int64_t size() const override { return size_; }

  absl::StatusOr<std::string> Read(int64_t max_bytes) override {
    std::string piece(static_cast<size_t>(std::min(max_bytes, size_ - position_)), '\0');
    size_t filled = 0;
    while (filled < piece.size()) {
      const ssize_t count = read(fd_, piece.data() + filled, piece.size() - filled);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return ErrnoToStatus(errno, absl::StrCat("cannot read blob ", sha256_));
      if (count == 0) return BlobDataLoss(sha256_, "its file is cut short");
      filled += static_cast<size_t>(count);
    }
    hash_.Update(piece);
    position_ += static_cast<int64_t>(piece.size());
    if (position_ == size_ && !checked_) {
      checked_ = true;
      if (hash_.HexDigest() != sha256_) {
        return BlobDataLoss(sha256_, "its bytes have another SHA-256");
      }
    }
    return piece;
  }

 private:
  const int fd_;
  const std::string sha256_;
  const int64_t size_;
  int64_t position_ = 0;
  bool checked_ = false;
  Sha256 hash_;
};

}  // namespace

// Holds an upload for one thread, while others wait.
class FileBlobStore::UploadLock {
 public:
  UploadLock(FileBlobStore& store, const std::string& upload) : store_(store), upload_(upload) {
    absl::MutexLock lock(&store_.mutex_);
    store_.mutex_.Await(absl::Condition(this, &UploadLock::IsFree));
    store_.busy_uploads_.insert(upload_);
  }
  ~UploadLock() {
    absl::MutexLock lock(&store_.mutex_);
    store_.busy_uploads_.erase(upload_);
  }
  UploadLock(const UploadLock&) = delete;
  UploadLock& operator=(const UploadLock&) = delete;

 private:
  bool IsFree() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return !store_.busy_uploads_.contains(upload_);
  }

  FileBlobStore& store_;
  const std::string upload_;
};

absl::StatusOr<std::unique_ptr<FileBlobStore>> FileBlobStore::Open(const fs::path& folder) {
  std::unique_ptr<FileBlobStore> store(new FileBlobStore(folder));
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(store->blobs_));
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(store->partial_));
  return store;
}

absl::StatusOr<BlobStore::UploadState> FileBlobStore::State(const UploadTarget& target) const {
  const std::string upload = UploadId(target);
  QUANTRY_ASSIGN_OR_RETURN(const int64_t stored, SizeOrMissing(blobs_ / target.sha256));
  if (stored == target.size) return UploadState{upload, target.size, true};
  QUANTRY_ASSIGN_OR_RETURN(const int64_t partial, SizeOrMissing(partial_ / upload));
  if (partial < 0) return UploadNotFound(upload);
  return UploadState{upload, partial, false};
}

absl::StatusOr<BlobStore::UploadState> FileBlobStore::Start(const std::string& sha256,
                                                            int64_t size) {
  const UploadTarget target{sha256, size};
  const UploadLock lock(*this, UploadId(target));
  absl::StatusOr<UploadState> state = State(target);
  if (state.ok() || !absl::IsNotFound(state.status())) return state;
  const fs::path path = partial_ / UploadId(target);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoToStatus(errno, absl::StrCat("cannot create ", path.string()));
  close(fd);
  return State(target);
}

absl::StatusOr<BlobStore::UploadState> FileBlobStore::Append(const std::string& upload,
                                                             int64_t offset,
                                                             absl::string_view data) {
  QUANTRY_ASSIGN_OR_RETURN(const UploadTarget target, ParseUploadId(upload));
  const UploadLock lock(*this, upload);
  QUANTRY_ASSIGN_OR_RETURN(const UploadState state, State(target));
  if (state.complete) return state;
  QUANTRY_RETURN_IF_ERROR(
      CheckAppend(target, state.committed_size, offset, static_cast<int64_t>(data.size())));
  QUANTRY_RETURN_IF_ERROR(WriteAt(partial_ / upload, offset, data));
  return State(target);
}

absl::StatusOr<BlobStore::UploadState> FileBlobStore::Finish(const std::string& upload) {
  QUANTRY_ASSIGN_OR_RETURN(const UploadTarget target, ParseUploadId(upload));
  const UploadLock lock(*this, upload);
  QUANTRY_ASSIGN_OR_RETURN(const UploadState state, State(target));
  if (state.complete) return state;
  const fs::path path = partial_ / upload;
  QUANTRY_ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile(path));
  if (absl::Status status = CheckFinish(target, state.committed_size, sha256); !status.ok()) {
    QUANTRY_RETURN_IF_ERROR(RemoveAll(path));
    return status;
  }
  QUANTRY_RETURN_IF_ERROR(CommitFile(path, blobs_ / target.sha256));
  return State(target);
}

absl::StatusOr<BlobStore::UploadState> FileBlobStore::Query(const std::string& upload) {
  QUANTRY_ASSIGN_OR_RETURN(const UploadTarget target, ParseUploadId(upload));
  const UploadLock lock(*this, upload);
  return State(target);
}

absl::StatusOr<int64_t> FileBlobStore::Size(const std::string& sha256) {
  if (!IsSha256Hex(sha256)) return BlobNotFound(sha256);
  QUANTRY_ASSIGN_OR_RETURN(const int64_t size, SizeOrMissing(blobs_ / sha256));
  if (size < 0) return BlobNotFound(sha256);
  return size;
}

absl::StatusOr<std::unique_ptr<BlobReader>> FileBlobStore::Open(const std::string& sha256) {
  QUANTRY_ASSIGN_OR_RETURN(const int64_t size, Size(sha256));
  const fs::path path = blobs_ / sha256;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoToStatus(errno, absl::StrCat("cannot open ", path.string()));
  return std::make_unique<FileReader>(fd, sha256, size);
}

}  // namespace quantry::server
