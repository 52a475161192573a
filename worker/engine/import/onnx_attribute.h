#ifndef QUANTRY_WORKER_ENGINE_IMPORT_ONNX_ATTRIBUTE_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_ONNX_ATTRIBUTE_H_

#include "absl/status/statusor.h"
#include "onnx/onnx_pb.h"
#include "worker/engine/graph/types.h"
#include "worker/engine/import/onnx_tensor.h"

namespace quantry::engine {

// The attributes of a node. INVALID_ARGUMENT names the attribute: sub-graphs (If, Loop, Scan),
// sparse tensors, types, references of functions, two attributes of one name.
absl::StatusOr<AttributeMap> ReadAttributes(const onnx::NodeProto& node, OnnxTensorReader& tensors);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_ONNX_ATTRIBUTE_H_
