#include "worker/engine/data/remote/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/files.h"

namespace quantry::engine {

absl::StatusOr<std::optional<FileLock>> FileLock::Try(const std::filesystem::path& path) {
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path, error);
  const int flags = is_folder ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT;
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoToStatus(errno, absl::StrCat("cannot open ", path.string()));
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return std::optional<FileLock>(FileLock(fd));
  const int number = errno;
  close(fd);
  if (number == EWOULDBLOCK) return std::optional<FileLock>();
  return ErrnoToStatus(number, absl::StrCat("cannot lock ", path.string()));
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace quantry::engine
