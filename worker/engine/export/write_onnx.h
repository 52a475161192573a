#ifndef QUANTRY_WORKER_ENGINE_EXPORT_WRITE_ONNX_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_WRITE_ONNX_H_

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The opset and file format that are written: what ONNX Runtime 1.12 and later load.
inline constexpr int kWrittenOpset = 17;
inline constexpr int kWrittenIrVersion = 8;

// The graph as the bytes of an ONNX ModelProto, nodes in topological order, names kept, all
// initializers inside the file. A first dimension that is not fixed is called "batch".
// INVALID_ARGUMENT names a node that plain ONNX does not have (FakeQuantize: lower it first) or
// that opset 17 can't express; RESOURCE_EXHAUSTED for a model of 2 GiB or more, ONNX's limit for
// one file.
absl::StatusOr<std::string> WriteOnnx(const Graph& graph);

// The same into a file, atomically.
absl::Status WriteOnnxFile(const Graph& graph, const std::filesystem::path& path);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_WRITE_ONNX_H_
