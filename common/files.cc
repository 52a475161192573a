#include "common/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry {
namespace {

namespace fs = std::filesystem;

// Closes a file descriptor at the end of a scope.
class ScopedFd {
 public:
  explicit ScopedFd(int fd) : fd_(fd) {}
  ~ScopedFd() {
    if (fd_ >= 0) close(fd_);
  }
  ScopedFd(const ScopedFd&) = delete;
  ScopedFd& operator=(const ScopedFd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status SyncPath(const fs::path& path, int flags) {
  ScopedFd fd(open(path.c_str(), flags | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoToStatus(errno, absl::StrCat("cannot open ", path.string()));
  if (fsync(fd.get()) != 0) return ErrnoToStatus(errno, absl::StrCat("cannot sync ", path.string()));
  return absl::OkStatus();
}

absl::Status WriteAll(int fd, absl::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoToStatus(errno, absl::StrCat("cannot write ", path.string()));
    }
    content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

fs::path FolderOf(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

absl::Status ErrnoToStatus(int error_number, absl::string_view context) {
  const std::string message = absl::StrCat(context, ": ", std::strerror(error_number));
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<std::string> ReadFile(const fs::path& path, int64_t max_bytes) {
  ScopedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoToStatus(errno, absl::StrCat("cannot open ", path.string()));
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("cannot stat ", path.string()));
  }
  if (S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), " is a folder, not a file"));
  }
  if (info.st_size > max_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(path.string(), " has ", info.st_size,
                                                     " bytes; at most ", max_bytes,
                                                     " are allowed"));
  }
  std::string content;
  content.reserve(static_cast<size_t>(info.st_size));
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = read(fd.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoToStatus(errno, absl::StrCat("cannot read ", path.string()));
    if (count == 0) return content;
    content.append(buffer, static_cast<size_t>(count));
  }
}

absl::Status WriteFileAtomically(const fs::path& path, absl::string_view content) {
  const fs::path temporary = absl::StrCat(path.string(), ".tmp.", getpid());
  {
    ScopedFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (fd.get() < 0) {
      return ErrnoToStatus(errno, absl::StrCat("cannot create ", temporary.string()));
    }
    if (absl::Status status = WriteAll(fd.get(), content, temporary); !status.ok()) {
      unlink(temporary.c_str());
      return status;
    }
  }
  return CommitFile(temporary, path);
}

absl::Status CommitFile(const fs::path& from, const fs::path& to) {
  QUANTRY_RETURN_IF_ERROR(SyncPath(from, O_RDONLY));
  if (rename(from.c_str(), to.c_str()) != 0) {
    return ErrnoToStatus(errno,
                         absl::StrCat("cannot rename ", from.string(), " to ", to.string()));
  }
  return SyncPath(FolderOf(to), O_RDONLY | O_DIRECTORY);
}

absl::Status MakeDirectories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return ErrnoToStatus(error.value(), absl::StrCat("cannot make ", path.string()));
  return absl::OkStatus();
}

absl::Status RemoveAll(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return ErrnoToStatus(error.value(), absl::StrCat("cannot remove ", path.string()));
  return absl::OkStatus();
}

}  // namespace quantry
