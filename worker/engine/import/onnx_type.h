#ifndef QUANTRY_WORKER_ENGINE_IMPORT_ONNX_TYPE_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_ONNX_TYPE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "onnx/onnx_pb.h"
#include "worker/engine/graph/types.h"

namespace quantry::engine {

// How the engine holds tensors of an ONNX element type.
struct ElementType {
  int64_t file_bits = 0;  // of one element in raw_data
  // Types that ATen lacks are widened (uint4 to uint8, int4 to int8, uint16 to int32, uint32 to
  // int64), and the half types become float32, which is what the engine computes in.
  at::ScalarType dtype = at::kFloat;
};

// Element types of ONNX 1.16 that the protobuf of older releases does not name.
inline constexpr int32_t kOnnxUint4 = 21;
inline constexpr int32_t kOnnxInt4 = 22;

// Elements lie two to a byte, the first in the low four bits.
inline bool IsFourBits(int32_t onnx_type) {
  return onnx_type == kOnnxUint4 || onnx_type == kOnnxInt4;
}

// INVALID_ARGUMENT for strings, complex numbers and unknown codes.
absl::StatusOr<ElementType> ElementTypeOf(int32_t onnx_type);

// Type of a graph input, output or value. Dimensions named by a parameter, and negative ones, which
// some exporters write, are dynamic. INVALID_ARGUMENT for sequences, maps and optionals.
absl::StatusOr<ValueType> ValueTypeOf(const onnx::ValueInfoProto& info);

// "float32[?,3,224,224]"; unknown parts are "?".
std::string TypeText(const ValueType& type);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_ONNX_TYPE_H_
