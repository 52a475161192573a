#ifndef QUANTRY_WORKER_ENGINE_IMPORT_ONNX_TENSOR_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_ONNX_TENSOR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>

#include "absl/status/statusor.h"
#include "onnx/onnx_pb.h"

namespace quantry::engine {

// Turns ONNX tensors into ATen tensors that own their memory. Counts what it has made, so that a
// small file that refers to the same external data many times can't exhaust the memory. Not
// thread-safe.
class OnnxTensorReader {
 public:
  // `folder` is where external data may lie; absent: external data is refused.
  explicit OnnxTensorReader(std::optional<std::filesystem::path> folder)
      : folder_(std::move(folder)) {}

  // INVALID_ARGUMENT names the tensor: unsupported element type, negative or overflowing
  // dimensions, more or less data than the dimensions ask for, external data that is absolute,
  // leaves the folder (links included) or ends before `offset + length`.
  absl::StatusOr<at::Tensor> Read(const onnx::TensorProto& proto);

 private:
  absl::StatusOr<at::Tensor> ReadUnnamed(const onnx::TensorProto& proto);

  std::optional<std::filesystem::path> folder_;
  int64_t bytes_made_ = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_ONNX_TENSOR_H_
