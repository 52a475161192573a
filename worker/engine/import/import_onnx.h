#ifndef QUANTRY_WORKER_ENGINE_IMPORT_IMPORT_ONNX_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_IMPORT_ONNX_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Reads an ONNX model (opset 7..21 headers accepted as far as the operators allow). The graph is in
// canonical form (passes/canonicalize), parameters and buffers have their roles by the operator
// table. Weights of int8/int32 initializers (QDQ files) stay as they are.
// INVALID_ARGUMENT with a sentence for people: not an ONNX file, truncated, unknown operator (names
// node and operator), cycle, dimensions that overflow, external data outside the model's folder,
// control flow that depends on data, a weight that is not finite.
absl::StatusOr<Graph> ImportOnnx(absl::string_view bytes);
absl::StatusOr<Graph> ImportOnnxFile(const std::filesystem::path& path);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_IMPORT_ONNX_H_
