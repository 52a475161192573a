#include "worker/agent/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/agent/hostname.h"

namespace quantry::agent {
namespace {

namespace fs = std::filesystem;

bool IsWorkerId(absl::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// A path component that can't lead out of its folder, whatever the server sent.
bool IsPlainName(absl::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_';
  });
}

absl::StatusOr<std::string> LoadOrMakeId(const fs::path& file) {
  const absl::StatusOr<std::string> stored = ReadFile(file);
  if (stored.ok()) {
    const absl::string_view id = absl::StripAsciiWhitespace(*stored);
    if (IsWorkerId(id)) return std::string(id);
    return absl::FailedPreconditionError(absl::StrCat(
        file.string(), " holds '", id, "'; a worker's name is [a-z0-9-]{1,63}. Remove the file."));
  }
  if (stored.status().code() != absl::StatusCode::kNotFound) return stored.status();
  const std::string id = NewWorkerId(Hostname());
  QUANTRY_RETURN_IF_ERROR(WriteFileAtomically(file, id + "\n"));
  return id;
}

}  // namespace

std::string NewWorkerId(absl::string_view hostname) {
  std::string prefix;
  for (const char c : hostname) {
    const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
    prefix.push_back(absl::ascii_isalnum(lower) ? lower : '-');
  }
  absl::BitGen random;
  return absl::StrFormat("%s-%08x", prefix.substr(0, 48), absl::Uniform<uint32_t>(random));
}

absl::StatusOr<std::unique_ptr<DataFolder>> DataFolder::Open(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return ErrnoToStatus(error.value(), path.string());
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(absolute / "cache"));
  const fs::path lock = absolute / "lock";
  const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoToStatus(errno, absl::StrCat("cannot open ", lock.string()));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return absl::FailedPreconditionError(
        absl::StrCat("another worker uses the data folder ", absolute.string(),
                     "; give each worker a --data-dir of its own"));
  }
  absl::StatusOr<std::string> id = LoadOrMakeId(absolute / "worker-id");
  if (!id.ok()) {
    close(fd);
    return id.status();
  }
  std::unique_ptr<DataFolder> folder(new DataFolder(absolute, fd, *std::move(id)));
  QUANTRY_RETURN_IF_ERROR(RemoveAll(absolute / "jobs"));
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(absolute / "jobs"));
  return folder;
}

DataFolder::~DataFolder() { close(lock_fd_); }

absl::StatusOr<fs::path> DataFolder::MakeAttemptFolder(const v1::Lease& lease) const {
  const absl::string_view id = absl::StripPrefix(lease.job(), "jobs/");
  if (!IsPlainName(id)) {
    return absl::InvalidArgumentError(absl::StrCat("job is named '", lease.job(), "'"));
  }
  const fs::path folder = path_ / "jobs" / std::string(id) / absl::StrCat(lease.attempt());
  QUANTRY_RETURN_IF_ERROR(RemoveAll(folder));
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(folder));
  return folder;
}

}  // namespace quantry::agent
