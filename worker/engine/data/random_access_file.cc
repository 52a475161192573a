#include "worker/engine/data/random_access_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"

namespace quantry::engine {

RandomAccessFile::RandomAccessFile(int fd, std::filesystem::path path, int64_t size)
    : fd_(fd), path_(std::move(path)), size_(size) {}

RandomAccessFile::~RandomAccessFile() { close(fd_); }

absl::StatusOr<std::unique_ptr<RandomAccessFile>> RandomAccessFile::Open(
    const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe must not wait for its other end.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ErrnoToStatus(errno, absl::StrCat("cannot open ", path.string()));
  struct stat info;
  const int error = fstat(fd, &info) == 0 ? 0 : errno;
  if (error != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    if (error != 0) return ErrnoToStatus(error, absl::StrCat("cannot stat ", path.string()));
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), " is not a file; give the path of a file"));
  }
  return std::unique_ptr<RandomAccessFile>(new RandomAccessFile(fd, path, info.st_size));
}

absl::Status RandomAccessFile::CheckRange(int64_t offset, int64_t bytes) const {
  if (offset >= 0 && bytes >= 0 && offset <= size_ && bytes <= size_ - offset) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(path_.string(), ": ", bytes, " bytes are missing at ",
                                          "offset ", offset, "; the file ends at ", size_));
}

absl::StatusOr<std::string> RandomAccessFile::Read(int64_t offset, int64_t bytes) const {
  if (const absl::Status status = CheckRange(offset, bytes); !status.ok()) return status;
  std::string content(static_cast<size_t>(bytes), '\0');
  const absl::Status status = ReadInto(offset, bytes, content.data());
  if (!status.ok()) return status;
  return content;
}

absl::Status RandomAccessFile::ReadInto(int64_t offset, int64_t bytes, char* out) const {
  if (absl::Status status = CheckRange(offset, bytes); !status.ok()) return status;
  for (int64_t done = 0; done < bytes;) {
    const ssize_t count = pread(fd_, out + done, bytes - done, offset + done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoToStatus(errno, absl::StrCat("cannot read ", path_.string()));
    if (count == 0) {
      return absl::DataLossError(
          absl::StrCat(path_.string(), " became shorter: it ends at offset ", offset + done));
    }
    done += count;
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
