#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_FILE_LOCK_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_FILE_LOCK_H_

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"

namespace quantry::engine {

// A lock among processes and threads of this machine (flock), held as long as the object lives. A
// process that dies leaves none behind.
class FileLock {
 public:
  // Absent: somebody else has it. `path` is a file, made if it is missing, or a folder.
  static absl::StatusOr<std::optional<FileLock>> Try(const std::filesystem::path& path);

  ~FileLock();
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_FILE_LOCK_H_
