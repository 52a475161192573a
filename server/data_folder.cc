#include "server/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry::server {
namespace {

constexpr char kAddressFile[] = "server.addr";

}  // namespace

absl::StatusOr<std::unique_ptr<DataFolder>> DataFolder::Open(const std::filesystem::path& path) {
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(path));
  const std::filesystem::path lock = path / "lock";
  const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoToStatus(errno, absl::StrCat("cannot open ", lock.string()));
  std::unique_ptr<DataFolder> folder(new DataFolder(path, fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the data folder ", path.string(), " is in use by another quantry-server"));
  }
  QUANTRY_RETURN_IF_ERROR(folder->RemoveAddresses());
  return folder;
}

DataFolder::DataFolder(std::filesystem::path path, int lock_fd)
    : path_(std::move(path)), lock_fd_(lock_fd) {}

DataFolder::~DataFolder() { close(lock_fd_); }

absl::Status DataFolder::PublishAddresses(const std::string& listen, const std::string& metrics) {
  return WriteFileAtomically(path_ / kAddressFile,
                             absl::StrCat("listen=", listen, "\nmetrics=", metrics, "\n"));
}

absl::Status DataFolder::RemoveAddresses() { return RemoveAll(path_ / kAddressFile); }

}  // namespace quantry::server
