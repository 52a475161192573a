#ifndef QUANTRY_WORKER_ENGINE_EXPORT_ONNX_PROTO_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_ONNX_PROTO_H_

#include <onnx/onnx_pb.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/graph/types.h"
#include "worker/engine/graph/value.h"

namespace quantry::engine {

// Pieces of a graph as ONNX protobuf messages.

// UNIMPLEMENTED names an element type that is not written.
absl::StatusOr<onnx::TensorProto> ToProto(absl::string_view name, const at::Tensor& tensor);

// A tensor attribute must be of a type that the above writes.
onnx::AttributeProto ToProto(absl::string_view name, const Attribute& attribute);

// Name, element type (float32 where it is not known) and shape as far as it is known.
onnx::ValueInfoProto ToProto(const Value& value);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_ONNX_PROTO_H_
