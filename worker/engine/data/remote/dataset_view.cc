#include "worker/engine/data/remote/dataset_view.h"

#include <unistd.h>

#include <atomic>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

// Folders are made, locked and removed under this lock, so that none is seen before its own is
// taken.
absl::StatusOr<FileLock> LockAll(const fs::path& views) {
  while (true) {
    QUANTRY_ASSIGN_OR_RETURN(std::optional<FileLock> lock, FileLock::Try(views));
    if (lock) return *std::move(lock);
    absl::SleepFor(absl::Milliseconds(5));
  }
}

absl::Status RemoveAbandoned(const fs::path& views) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator entries(views, error); !error && entries != fs::directory_iterator();
       entries.increment(error)) {
    folders.push_back(entries->path());
  }
  for (const fs::path& folder : folders) {
    const auto lock = FileLock::Try(folder);
    if (!lock.ok() || !lock->has_value()) continue;  // in use, or just gone
    QUANTRY_RETURN_IF_ERROR(RemoveAll(folder));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DatasetView> DatasetView::Make(const fs::path& views) {
  static std::atomic<int64_t> count{0};
  QUANTRY_ASSIGN_OR_RETURN(const FileLock all, LockAll(views));
  QUANTRY_RETURN_IF_ERROR(RemoveAbandoned(views));
  fs::path path = views / absl::StrCat(getpid(), ".", count.fetch_add(1));
  // Of an earlier process of the same number, in another container that shares the folder.
  std::error_code error;
  while (fs::exists(path, error)) path += "x";
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(path));
  QUANTRY_ASSIGN_OR_RETURN(std::optional<FileLock> lock, FileLock::Try(path));
  if (!lock) return absl::InternalError(absl::StrCat(path.string(), " is locked by another"));
  return DatasetView(std::move(path), *std::move(lock));
}

DatasetView::~DatasetView() {
  if (!path_.empty()) static_cast<void>(RemoveAll(path_));
}

}  // namespace quantry::engine
