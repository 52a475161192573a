#ifndef QUANTRY_WORKER_ENGINE_DATA_IDX_FILE_H_
#define QUANTRY_WORKER_ENGINE_DATA_IDX_FILE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quantry::engine {

// The content of an IDX file of unsigned bytes.
struct IdxArray {
  std::vector<int64_t> shape;
  std::string values;  // as many as the product of `shape`, last dimension first
};

// Reads an IDX file (magic 0, 0, 8, number of dimensions; each size big-endian in 32 bits; then the
// values), compressed by gzip or not, which must have `dimensions` of them. Memory grows with what
// is really there, never with what a header promises. INVALID_ARGUMENT, naming file and offset:
// another type or number of dimensions, over 4 GiB, cut short, longer than it says, damaged.
absl::StatusOr<IdxArray> ReadIdx(const std::filesystem::path& path, size_t dimensions);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_IDX_FILE_H_
