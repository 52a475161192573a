#ifndef QUANTRY_WORKER_ENGINE_OPS_ONNX_DTYPE_H_
#define QUANTRY_WORKER_ENGINE_OPS_ONNX_DTYPE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "worker/engine/graph/node.h"

namespace quantry::engine {

// The type of tensors of ONNX TensorProto.DataType `onnx_type` as operators' attributes name it.
// Unsigned integers of 16 bits and more, which ATen lacks, are held in the next wider signed type,
// as at import; uint64 in int64. Empty: none.
std::optional<at::ScalarType> DtypeOf(int64_t onnx_type);

// Attribute `name`, if present, is a type that DtypeOf knows.
absl::Status CheckDtype(const Node& node, absl::string_view name);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_ONNX_DTYPE_H_
