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

// int8 values in [-8, 7] as ONNX's int4: two in a byte, the first one low; an odd last one has 0
// above it. https://onnx.ai/onnx/technical/int4.html
onnx::TensorProto ToInt4Proto(absl::string_view name, const at::Tensor& tensor);

// int32 values in [0, 65535] as ONNX's uint16.
onnx::TensorProto ToUint16Proto(absl::string_view name, const at::Tensor& tensor);

// A tensor attribute must be of a type that the above writes.
onnx::AttributeProto ToProto(absl::string_view name, const Attribute& attribute);

// Name, element type (float32 where it is not known) and shape as far as it is known.
onnx::ValueInfoProto ToProto(const Value& value);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_ONNX_PROTO_H_
