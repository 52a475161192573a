#include "worker/engine/import/onnx_tensor.h"

#include <ATen/ATen.h>

#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/import/external_data.h"
#include "worker/engine/import/onnx_text.h"
#include "worker/engine/import/onnx_type.h"

#ifdef ABSL_IS_BIG_ENDIAN
#error "raw_data is little-endian; this reader copies it as it is"
#endif

namespace quantry::engine {
namespace {

constexpr int kMaxRank = 16;
constexpr int64_t kMaxTotalBytes = int64_t{16} << 30;

absl::StatusOr<int64_t> ElementCount(const onnx::TensorProto& proto) {
  if (proto.dims_size() > kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat(proto.dims_size(), " dimensions; allowed: at most ", kMaxRank));
  }
  int64_t count = 1;
  for (const int64_t dim : proto.dims()) {
    if (dim < 0) {
      return absl::InvalidArgumentError(absl::StrCat("dimension ", dim, " is negative"));
    }
    if (__builtin_mul_overflow(count, dim, &count)) {
      return absl::InvalidArgumentError("the product of the dimensions overflows");
    }
  }
  return count;
}

absl::Status CheckCount(int64_t found, int64_t wanted) {
  if (found == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("has ", found, " elements but its dimensions ask for ", wanted));
}

// Copies elements of type From, as they lie in the file, into a tensor of element type To.
template <typename From, typename To>
void CopyRaw(const std::string& raw, at::Tensor& tensor) {
  To* out = tensor.data_ptr<To>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    From element;
    std::memcpy(&element, raw.data() + i * static_cast<int64_t>(sizeof(From)), sizeof(From));
    out[i] = static_cast<To>(element);
  }
}

// The element that the low four bits of `nibble` are.
int FourBits(uint32_t nibble, bool is_signed) {
  const int value = static_cast<int>(nibble & 0xF);
  return is_signed && value >= 8 ? value - 16 : value;
}

// Elements of four bits, two of each of what `pair_at` gives; To is the type of `tensor`.
template <typename To, typename PairAt>
void CopyFourBits(const PairAt& pair_at, at::Tensor& tensor) {
  To* out = tensor.data_ptr<To>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    const auto pair = static_cast<uint32_t>(pair_at(i / 2));
    out[i] = static_cast<To>(FourBits(i % 2 == 0 ? pair : pair >> 4, std::is_signed_v<To>));
  }
}

void FillFromRaw(const std::string& raw, int32_t onnx_type, at::Tensor& tensor) {
  const auto byte_at = [&raw](int64_t i) {
    return static_cast<uint8_t>(raw[static_cast<size_t>(i)]);
  };
  switch (onnx_type) {
    case kOnnxUint4:
      return CopyFourBits<uint8_t>(byte_at, tensor);
    case kOnnxInt4:
      return CopyFourBits<int8_t>(byte_at, tensor);
    case onnx::TensorProto::FLOAT16:
      return CopyRaw<at::Half, float>(raw, tensor);
    case onnx::TensorProto::BFLOAT16:
      return CopyRaw<at::BFloat16, float>(raw, tensor);
    case onnx::TensorProto::UINT16:
      return CopyRaw<uint16_t, int32_t>(raw, tensor);
    case onnx::TensorProto::UINT32:
      return CopyRaw<uint32_t, int64_t>(raw, tensor);
    case onnx::TensorProto::BOOL: {
      bool* out = tensor.data_ptr<bool>();
      for (int64_t i = 0; i < tensor.numel(); ++i) out[i] = raw[static_cast<size_t>(i)] != 0;
      return;
    }
    default:
      if (!raw.empty()) std::memcpy(tensor.data_ptr(), raw.data(), raw.size());
  }
}

template <typename To, typename Field>
absl::Status CopyField(const Field& field, at::Tensor& tensor) {
  QUANTRY_RETURN_IF_ERROR(CheckCount(field.size(), tensor.numel()));
  To* out = tensor.data_ptr<To>();
  for (int i = 0; i < field.size(); ++i) out[i] = static_cast<To>(field.Get(i));
  return absl::OkStatus();
}

// The half types lie in int32_data as bit patterns.
template <typename Half>
absl::Status CopyBits(const onnx::TensorProto& proto, at::Tensor& tensor) {
  QUANTRY_RETURN_IF_ERROR(CheckCount(proto.int32_data_size(), tensor.numel()));
  float* out = tensor.data_ptr<float>();
  for (int i = 0; i < proto.int32_data_size(); ++i) {
    out[i] =
        static_cast<float>(Half(static_cast<uint16_t>(proto.int32_data(i)), Half::from_bits()));
  }
  return absl::OkStatus();
}

// Two elements lie in each of int32_data.
template <typename To>
absl::Status CopyPairs(const onnx::TensorProto& proto, at::Tensor& tensor) {
  QUANTRY_RETURN_IF_ERROR(CheckCount(proto.int32_data_size(), (tensor.numel() + 1) / 2));
  CopyFourBits<To>([&](int64_t i) { return proto.int32_data(static_cast<int>(i)); }, tensor);
  return absl::OkStatus();
}

// The typed field that holds elements of `onnx_type`, per the comments of onnx.proto.
absl::Status FillFromField(const onnx::TensorProto& proto, at::Tensor& tensor) {
  switch (proto.data_type()) {
    case onnx::TensorProto::FLOAT:
      return CopyField<float>(proto.float_data(), tensor);
    case onnx::TensorProto::DOUBLE:
      return CopyField<double>(proto.double_data(), tensor);
    case onnx::TensorProto::FLOAT16:
      return CopyBits<at::Half>(proto, tensor);
    case onnx::TensorProto::BFLOAT16:
      return CopyBits<at::BFloat16>(proto, tensor);
    case kOnnxUint4:
      return CopyPairs<uint8_t>(proto, tensor);
    case kOnnxInt4:
      return CopyPairs<int8_t>(proto, tensor);
    case onnx::TensorProto::INT8:
      return CopyField<int8_t>(proto.int32_data(), tensor);
    case onnx::TensorProto::UINT8:
      return CopyField<uint8_t>(proto.int32_data(), tensor);
    case onnx::TensorProto::BOOL:
      return CopyField<bool>(proto.int32_data(), tensor);
    case onnx::TensorProto::INT16:
      return CopyField<int16_t>(proto.int32_data(), tensor);
    case onnx::TensorProto::UINT16:
    case onnx::TensorProto::INT32:
      return CopyField<int32_t>(proto.int32_data(), tensor);
    case onnx::TensorProto::UINT32:
    case onnx::TensorProto::UINT64:
      return CopyField<int64_t>(proto.uint64_data(), tensor);
    default:
      return CopyField<int64_t>(proto.int64_data(), tensor);
  }
}

absl::Status FillRaw(const std::string& raw, int64_t wanted, int32_t onnx_type,
                     at::Tensor& tensor) {
  if (static_cast<int64_t>(raw.size()) != wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", raw.size(), " bytes of data but its dimensions ask for ", wanted));
  }
  FillFromRaw(raw, onnx_type, tensor);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<at::Tensor> OnnxTensorReader::Read(const onnx::TensorProto& proto) {
  absl::StatusOr<at::Tensor> tensor = ReadUnnamed(proto);
  if (tensor.ok()) return tensor;
  return WithContext(tensor.status(), absl::StrCat("tensor '", ForMessage(proto.name()), "'"));
}

absl::StatusOr<at::Tensor> OnnxTensorReader::ReadUnnamed(const onnx::TensorProto& proto) {
  QUANTRY_ASSIGN_OR_RETURN(const ElementType element, ElementTypeOf(proto.data_type()));
  QUANTRY_ASSIGN_OR_RETURN(const int64_t count, ElementCount(proto));
  const auto wide = static_cast<int64_t>(c10::elementSize(element.dtype));
  if (count > (kMaxTotalBytes - bytes_made_) / wide) {
    return absl::InvalidArgumentError(absl::StrCat(
        "its ", count, " elements bring the model's tensors over ", kMaxTotalBytes, " bytes"));
  }
  const bool external = proto.data_location() == onnx::TensorProto::EXTERNAL;
  // At most 2^34 elements are left, so nothing overflows.
  const int64_t file_bytes = (count * element.file_bits + 7) / 8;
  std::string external_bytes;
  if (external) {
    if (!folder_.has_value()) {
      return absl::InvalidArgumentError(
          "external data is not allowed in a model that is not read from a folder");
    }
    QUANTRY_ASSIGN_OR_RETURN(external_bytes, ReadExternalData(proto, file_bytes, *folder_));
  } else if (proto.has_raw_data()) {
    // Checked before memory is taken: a few bytes must not make a huge tensor.
    const auto bits = static_cast<int64_t>(proto.raw_data().size()) * 8;
    if (bits / element.file_bits < count) {
      QUANTRY_RETURN_IF_ERROR(CheckCount(bits / element.file_bits, count));
    }
  } else if (count / 2 > static_cast<int64_t>(proto.ByteSizeLong())) {
    return absl::InvalidArgumentError(
        absl::StrCat("has less data than the ", count, " elements of its dimensions"));
  }
  at::Tensor tensor = at::empty(std::vector<int64_t>(proto.dims().begin(), proto.dims().end()),
                                at::TensorOptions(element.dtype));
  bytes_made_ += count * wide;
  if (external || proto.has_raw_data()) {
    const std::string& raw = external ? external_bytes : proto.raw_data();
    QUANTRY_RETURN_IF_ERROR(FillRaw(raw, file_bytes, proto.data_type(), tensor));
  } else {
    QUANTRY_RETURN_IF_ERROR(FillFromField(proto, tensor));
  }
  if (proto.data_type() == onnx::TensorProto::UINT64 && at::lt(tensor, 0).any().item<bool>()) {
    return absl::InvalidArgumentError(
        "has a uint64 element of 2^63 or more, which is not supported");
  }
  return tensor;
}

}  // namespace quantry::engine
