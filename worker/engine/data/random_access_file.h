#ifndef QUANTRY_WORKER_ENGINE_DATA_RANDOM_ACCESS_FILE_H_
#define QUANTRY_WORKER_ENGINE_DATA_RANDOM_ACCESS_FILE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace quantry::engine {

// A file that is read in pieces, from any number of threads at once. What is read again comes from
// the operating system's cache. Thread-safe.
class RandomAccessFile {
 public:
  // NOT_FOUND, PERMISSION_DENIED or INVALID_ARGUMENT (no regular file), naming the path.
  static absl::StatusOr<std::unique_ptr<RandomAccessFile>> Open(const std::filesystem::path& path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  int64_t size() const { return size_; }  // in bytes, when it was opened
  const std::filesystem::path& path() const { return path_; }

  // Exactly `bytes` bytes from `offset`. DATA_LOSS, naming file and offset, if the file has fewer:
  // that is checked before any memory is taken.
  absl::StatusOr<std::string> Read(int64_t offset, int64_t bytes) const;
  // The same, to `out`, which has room for them.
  absl::Status ReadInto(int64_t offset, int64_t bytes, char* out) const;

 private:
  absl::Status CheckRange(int64_t offset, int64_t bytes) const;
  RandomAccessFile(int fd, std::filesystem::path path, int64_t size);

  const int fd_;
  const std::filesystem::path path_;
  const int64_t size_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_RANDOM_ACCESS_FILE_H_
