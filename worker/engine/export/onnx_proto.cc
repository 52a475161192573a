#include "worker/engine/export/onnx_proto.h"

#include <bit>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX raw data is little-endian");

struct TypePair {
  at::ScalarType torch;
  onnx::TensorProto_DataType onnx;
};

constexpr TypePair kTypes[] = {
    {at::kFloat, onnx::TensorProto_DataType_FLOAT},
    {at::kDouble, onnx::TensorProto_DataType_DOUBLE},
    {at::kLong, onnx::TensorProto_DataType_INT64},
    {at::kInt, onnx::TensorProto_DataType_INT32},
    {at::kShort, onnx::TensorProto_DataType_INT16},
    {at::kChar, onnx::TensorProto_DataType_INT8},
    {at::kByte, onnx::TensorProto_DataType_UINT8},
    {at::kBool, onnx::TensorProto_DataType_BOOL},
};

// Came with ONNX 1.16; older headers have no name for it.
constexpr int kInt4Type = 22;

onnx::TensorProto EmptyProto(absl::string_view name, int type, at::IntArrayRef sizes) {
  onnx::TensorProto proto;
  proto.set_name(std::string(name));
  proto.set_data_type(type);
  for (const int64_t size : sizes) proto.add_dims(size);
  return proto;
}

std::optional<onnx::TensorProto_DataType> OnnxType(at::ScalarType type) {
  for (const TypePair& pair : kTypes) {
    if (pair.torch == type) return pair.onnx;
  }
  return std::nullopt;
}

// Writes the alternative that an Attribute holds.
struct AttributeWriter {
  onnx::AttributeProto& proto;

  void operator()(int64_t value) const {
    proto.set_type(onnx::AttributeProto_AttributeType_INT);
    proto.set_i(value);
  }
  void operator()(float value) const {
    proto.set_type(onnx::AttributeProto_AttributeType_FLOAT);
    proto.set_f(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(onnx::AttributeProto_AttributeType_STRING);
    proto.set_s(value);
  }
  void operator()(const std::vector<int64_t>& values) const {
    proto.set_type(onnx::AttributeProto_AttributeType_INTS);
    proto.mutable_ints()->Assign(values.begin(), values.end());
  }
  void operator()(const std::vector<float>& values) const {
    proto.set_type(onnx::AttributeProto_AttributeType_FLOATS);
    proto.mutable_floats()->Assign(values.begin(), values.end());
  }
  void operator()(const std::vector<std::string>& values) const {
    proto.set_type(onnx::AttributeProto_AttributeType_STRINGS);
    proto.mutable_strings()->Assign(values.begin(), values.end());
  }
  void operator()(const at::Tensor& value) const {
    proto.set_type(onnx::AttributeProto_AttributeType_TENSOR);
    *proto.mutable_t() = ToProto("", value).value();
  }
};

}  // namespace

absl::StatusOr<onnx::TensorProto> ToProto(absl::string_view name, const at::Tensor& tensor) {
  const auto type = OnnxType(tensor.scalar_type());
  if (!type) {
    return absl::UnimplementedError(absl::StrCat("tensor '", name, "' has the element type ",
                                                 c10::toString(tensor.scalar_type()),
                                                 ", which is not written to ONNX files"));
  }
  onnx::TensorProto proto = EmptyProto(name, *type, tensor.sizes());
  const at::Tensor plain = tensor.detach().cpu().contiguous();
  proto.set_raw_data(plain.data_ptr(), plain.nbytes());
  return proto;
}

onnx::TensorProto ToInt4Proto(absl::string_view name, const at::Tensor& tensor) {
  onnx::TensorProto proto = EmptyProto(name, kInt4Type, tensor.sizes());
  const at::Tensor plain = tensor.detach().cpu().contiguous();
  const auto* values = plain.data_ptr<int8_t>();
  const auto count = static_cast<size_t>(plain.numel());
  std::string bytes((count + 1) / 2, '\0');
  for (size_t i = 0; i < count; ++i) {
    const unsigned nibble = static_cast<unsigned char>(values[i]) & 0xFU;
    const unsigned byte = static_cast<unsigned char>(bytes[i / 2]);
    bytes[i / 2] = static_cast<char>(byte | (i % 2 == 0 ? nibble : nibble << 4U));
  }
  proto.set_raw_data(std::move(bytes));
  return proto;
}

onnx::TensorProto ToUint16Proto(absl::string_view name, const at::Tensor& tensor) {
  onnx::TensorProto proto = EmptyProto(name, onnx::TensorProto_DataType_UINT16, tensor.sizes());
  // The low half of a two's complement number is the unsigned one.
  const at::Tensor plain = tensor.detach().cpu().to(at::kShort).contiguous();
  proto.set_raw_data(plain.data_ptr(), plain.nbytes());
  return proto;
}

onnx::AttributeProto ToProto(absl::string_view name, const Attribute& attribute) {
  onnx::AttributeProto proto;
  proto.set_name(std::string(name));
  std::visit(AttributeWriter{proto}, attribute);
  return proto;
}

onnx::ValueInfoProto ToProto(const Value& value) {
  onnx::ValueInfoProto proto;
  proto.set_name(value.name());
  onnx::TypeProto_Tensor& tensor = *proto.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(
      OnnxType(value.type.dtype.value_or(at::kFloat)).value_or(onnx::TensorProto_DataType_FLOAT));
  if (!value.type.shape) return proto;
  onnx::TensorShapeProto& shape = *tensor.mutable_shape();
  for (size_t i = 0; i < value.type.shape->size(); ++i) {
    const Dimension& size = (*value.type.shape)[i];
    if (size) {
      shape.add_dim()->set_dim_value(*size);
    } else {
      shape.add_dim()->set_dim_param(i == 0 ? "batch" : absl::StrCat(value.name(), "_dim", i));
    }
  }
  return proto;
}

}  // namespace quantry::engine
