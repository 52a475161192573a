#include "worker/engine/import/onnx_type.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/import/onnx_text.h"

namespace quantry::engine {

absl::StatusOr<ElementType> ElementTypeOf(int32_t onnx_type) {
  switch (onnx_type) {
    case onnx::TensorProto::FLOAT:
      return ElementType{32, at::kFloat};
    case onnx::TensorProto::DOUBLE:
      return ElementType{64, at::kDouble};
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      return ElementType{16, at::kFloat};
    case onnx::TensorProto::INT8:
      return ElementType{8, at::kChar};
    case onnx::TensorProto::UINT8:
      return ElementType{8, at::kByte};
    case kOnnxUint4:
      return ElementType{4, at::kByte};
    case kOnnxInt4:
      return ElementType{4, at::kChar};
    case onnx::TensorProto::BOOL:
      return ElementType{8, at::kBool};
    case onnx::TensorProto::INT16:
      return ElementType{16, at::kShort};
    case onnx::TensorProto::UINT16:
      return ElementType{16, at::kInt};
    case onnx::TensorProto::INT32:
      return ElementType{32, at::kInt};
    case onnx::TensorProto::UINT32:
      return ElementType{32, at::kLong};
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64:  // ATen has no wider type; see OnnxTensorReader
      return ElementType{64, at::kLong};
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "element type ", onnx_type,
          " is not supported; allowed: float, double, float16, bfloat16, bool, int4 to int64, "
          "uint4 to uint64"));
  }
}

absl::StatusOr<ValueType> ValueTypeOf(const onnx::ValueInfoProto& info) {
  ValueType result;
  if (info.type().value_case() == onnx::TypeProto::VALUE_NOT_SET) return result;
  if (!info.type().has_tensor_type()) {
    return absl::InvalidArgumentError(
        absl::StrCat("value '", ForMessage(info.name()),
                     "' is a sequence, map or optional; only tensors are "
                     "supported"));
  }
  const onnx::TypeProto::Tensor& tensor = info.type().tensor_type();
  if (tensor.elem_type() != onnx::TensorProto::UNDEFINED) {
    absl::StatusOr<ElementType> element = ElementTypeOf(tensor.elem_type());
    if (!element.ok()) {
      return WithContext(element.status(), absl::StrCat("value '", ForMessage(info.name()), "'"));
    }
    result.dtype = element->dtype;
  }
  if (!tensor.has_shape()) return result;
  std::vector<Dimension> shape;
  for (const auto& dim : tensor.shape().dim()) {
    const bool fixed = dim.has_dim_value() && dim.dim_value() >= 0;
    shape.push_back(fixed ? Dimension(dim.dim_value()) : std::nullopt);
  }
  result.shape = std::move(shape);
  return result;
}

std::string TypeText(const ValueType& type) {
  std::string text = "?";
  if (type.dtype == at::kFloat) {
    text = "float32";
  } else if (type.dtype.has_value()) {
    text = absl::AsciiStrToLower(c10::toString(*type.dtype));
  }
  if (!type.shape.has_value()) return text;
  const std::string dims =
      absl::StrJoin(*type.shape, ",", [](std::string* out, const Dimension& dim) {
        absl::StrAppend(out, dim.has_value() ? absl::StrCat(*dim) : "?");
      });
  return absl::StrCat(text, "[", dims, "]");
}

}  // namespace quantry::engine
