#ifndef QUANTRY_WORKER_ENGINE_DATA_STORED_ARRAY_H_
#define QUANTRY_WORKER_ENGINE_DATA_STORED_ARRAY_H_

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/random_access_file.h"

namespace quantry::engine {

// An array on disk, or in memory where the file is compressed: little-endian, row-major.
// Thread-safe.
struct StoredArray {
  std::string name;
  c10::ScalarType dtype = c10::ScalarType::Float;
  std::vector<int64_t> shape;  // the first axis counts examples
  std::shared_ptr<const RandomAccessFile> file;
  int64_t offset = 0;                         // of the data in `file`
  std::shared_ptr<const std::string> memory;  // the data instead, if not null

  int64_t rows() const { return shape.empty() ? 0 : shape.front(); }
  int64_t row_bytes() const;

  // Copies rows [first, first + count) to `out`, which has room for them. The errors of
  // RandomAccessFile::Read.
  absl::Status Read(int64_t first, int64_t count, char* out) const;
};

// The arrays of a file .npy (named after the file), .npz or .safetensors, or those of all such
// files .npy of a folder; in the order of their names. Headers are read, data is not, save that of
// compressed .npz files (up to 4 GiB). INVALID_ARGUMENT, naming file and array: what
// ParseNpyHeader, IndexZip and ParseSafetensors refuse, data that is missing, types that LibTorch
// lacks; the errors of `policy`.
absl::StatusOr<std::vector<StoredArray>> OpenArrayFiles(const std::filesystem::path& path,
                                                        const PathPolicy& policy);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_STORED_ARRAY_H_
