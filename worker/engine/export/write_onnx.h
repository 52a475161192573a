#ifndef QUANTRY_WORKER_ENGINE_EXPORT_WRITE_ONNX_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_WRITE_ONNX_H_

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The opset and file format that are written: what ONNX Runtime 1.12 and later load. Integers of 4
// and 16 bits came with opset 21; only files that have such are of it, and need 1.18 or later.
inline constexpr int kWrittenOpset = 17;
inline constexpr int kWrittenIrVersion = 8;
inline constexpr int kOpsetOfOtherIntegers = 21;
inline constexpr int kIrVersionOfOtherIntegers = 10;

struct WriteOptions {
  // Integer weights that DequantizeLinear alone reads and that lie in [-8, 7] become int4, two in a
  // byte.
  bool pack_int4 = false;
};

// The graph as the bytes of an ONNX ModelProto, nodes in topological order, names kept, all
// initializers inside the file. A first dimension that is not fixed is called "batch". An int32
// zero point of QuantizeLinear is one of uint16 (ops/quantize_linear.cc).
// INVALID_ARGUMENT names a node that plain ONNX does not have (FakeQuantize: lower it first) or
// that the opset can't express; RESOURCE_EXHAUSTED for a model of 2 GiB or more, ONNX's limit for
// one file.
absl::StatusOr<std::string> WriteOnnx(const Graph& graph, const WriteOptions& options = {});

// The same into a file, atomically.
absl::Status WriteOnnxFile(const Graph& graph, const std::filesystem::path& path,
                           const WriteOptions& options = {});

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_WRITE_ONNX_H_
