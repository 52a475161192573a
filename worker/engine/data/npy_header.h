#ifndef QUANTRY_WORKER_ENGINE_DATA_NPY_HEADER_H_
#define QUANTRY_WORKER_ENGINE_DATA_NPY_HEADER_H_

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// What stands in front of a NumPy array file's data.
struct NpyHeader {
  c10::ScalarType dtype = c10::ScalarType::Float;
  std::vector<int64_t> shape;
  int64_t data_offset = 0;  // from the beginning of the file
  int64_t data_bytes = 0;
};

// How much of a file ParseNpyHeader needs at most.
inline constexpr int64_t kMaxNpyHeaderBytes = 65536;

// Reads the header of an .npy file, format versions 1 to 3, from its first bytes
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). Strict:
// INVALID_ARGUMENT where it is cut off, over kMaxNpyHeaderBytes, has other or repeated keys, more
// than 16 axes, a shape that overflows, or a type that LibTorch lacks: structures, objects, text,
// complex numbers, unsigned integers of more than 8 bits, big-endian numbers; Fortran order.
// Thread-safe.
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view head);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_NPY_HEADER_H_
