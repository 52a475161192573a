#ifndef QUANTRY_WORKER_ENGINE_IMPORT_EXTERNAL_DATA_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_EXTERNAL_DATA_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "onnx/onnx_pb.h"

namespace quantry::engine {

// The `bytes` bytes that a tensor keeps in another file below `folder` (ONNX "external_data" with
// the keys location, offset, length). INVALID_ARGUMENT where location is absolute or, links
// followed, not below the folder, or the file is too short.
absl::StatusOr<std::string> ReadExternalData(const onnx::TensorProto& proto, int64_t bytes,
                                             const std::filesystem::path& folder);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_EXTERNAL_DATA_H_
