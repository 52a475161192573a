#ifndef QUANTRY_COMMON_SAFETENSORS_H_
#define QUANTRY_COMMON_SAFETENSORS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry {

// One tensor of a safetensors file. `bytes` points into the file's content: little-endian elements
// in row-major order, not aligned.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // "F32", "F16", "BF16", "F64", "I64", ...
  std::vector<int64_t> shape;
  absl::string_view bytes;
};

// Whether a file that starts with `head` (9 bytes are enough) has the form of a safetensors file.
bool LooksLikeSafetensors(absl::string_view head);

// Reads a whole safetensors file (8 bytes: size N of the header, little-endian; N bytes of JSON,
// {"NAME": {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {...}}; the data).
// Entries come in the order of their data. Strict: INVALID_ARGUMENT where the file is cut off, the
// header is over 16 MiB or has other fields, names one tensor twice, an unknown type, a shape that
// overflows or does not fit its bytes, or where tensors overlap, leave gaps or end before or after
// the file does. Takes memory only for the header. Thread-safe.
absl::StatusOr<std::vector<SafetensorsEntry>> ParseSafetensors(absl::string_view file);

}  // namespace quantry

#endif  // QUANTRY_COMMON_SAFETENSORS_H_
