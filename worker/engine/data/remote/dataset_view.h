#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_DATASET_VIEW_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_DATASET_VIEW_H_

#include <filesystem>
#include <utility>

#include "absl/status/statusor.h"
#include "worker/engine/data/remote/file_lock.h"

namespace quantry::engine {

// A folder that holds one dataset's objects under their names, for as long as the object lives:
// what a reader has open then stays readable.
class DatasetView {
 public:
  // A new one below `views`. Those that processes left behind which are no more are removed.
  static absl::StatusOr<DatasetView> Make(const std::filesystem::path& views);
  ~DatasetView();
  DatasetView(DatasetView&&) = default;
  DatasetView& operator=(DatasetView&&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  DatasetView(std::filesystem::path path, FileLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;  // empty: moved from
  FileLock lock_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_DATASET_VIEW_H_
