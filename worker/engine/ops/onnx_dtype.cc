#include "worker/engine/ops/onnx_dtype.h"

#include "absl/strings/str_cat.h"

namespace quantry::engine {

std::optional<at::ScalarType> DtypeOf(int64_t onnx_type) {
  switch (onnx_type) {
    case 1:
      return at::kFloat;
    case 2:
      return at::kByte;
    case 3:
      return at::kChar;
    case 5:
      return at::kShort;
    case 4:  // uint16
    case 6:
      return at::kInt;
    case 7:
    case 12:  // uint32
    case 13:  // uint64
      return at::kLong;
    case 9:
      return at::kBool;
    case 10:
      return at::kHalf;
    case 11:
      return at::kDouble;
    case 16:
      return at::kBFloat16;
    default:
      return std::nullopt;
  }
}

absl::Status CheckDtype(const Node& node, absl::string_view name) {
  if (!node.HasAttribute(name)) return absl::OkStatus();
  const int64_t type = node.Int(name, 1);
  if (DtypeOf(type)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("attribute '", name, "' is ", type,
                   "; allowed are the ONNX types 1 to 7, 9 to 13 and 16 (numbers and bool)"));
}

}  // namespace quantry::engine
