#ifndef QUANTRY_WORKER_ENGINE_DATA_DATASET_WRITER_H_
#define QUANTRY_WORKER_ENGINE_DATA_DATASET_WRITER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "absl/status/statusor.h"
#include "worker/engine/data/dataset.h"

namespace quantry::engine {

struct DatasetWriterOptions {
  // Write only the first `limit` pictures; absent: all. >= 1.
  std::optional<int64_t> limit;

  // Called now and then, and at the end, with pictures done and pictures in all; may be empty.
  std::function<void(int64_t done, int64_t total)> progress;
};

// Writes `dataset` as DIR/CLASS/NNNNNN.png, NNNNNN being the picture's index; returns how many were
// written. Write the splits into ROOT/train and ROOT/val, and file://ROOT reads the same pixels and
// labels back. Files that are there already are overwritten, others left alone. Corrupt pictures
// are left out. INVALID_ARGUMENT: a class name that can't be a folder's name ("a/b").
absl::StatusOr<int64_t> WriteDataset(const Dataset& dataset, const std::filesystem::path& dir,
                                     const DatasetWriterOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_DATASET_WRITER_H_
