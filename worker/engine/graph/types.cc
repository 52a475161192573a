#include "worker/engine/graph/types.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace quantry::engine {

std::string DtypeName(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kByte:
      return "uint8";
    case at::kChar:
      return "int8";
    case at::kShort:
      return "int16";
    case at::kInt:
      return "int32";
    case at::kLong:
      return "int64";
    case at::kBool:
      return "bool";
    default:
      return absl::AsciiStrToLower(c10::toString(dtype));
  }
}

std::string ToString(const ValueType& type) {
  const std::string dtype = type.dtype ? DtypeName(*type.dtype) : "?";
  if (!type.shape) return absl::StrCat(dtype, "?");
  return absl::StrCat(dtype, "[",
                      absl::StrJoin(*type.shape, ",",
                                    [](std::string* out, const Dimension& dimension) {
                                      if (dimension) {
                                        absl::StrAppend(out, *dimension);
                                      } else {
                                        absl::StrAppend(out, "?");
                                      }
                                    }),
                      "]");
}

ValueType TypeOf(const at::Tensor& tensor) {
  const at::IntArrayRef sizes = tensor.sizes();
  return {.dtype = tensor.scalar_type(),
          .shape = std::vector<Dimension>(sizes.begin(), sizes.end())};
}

}  // namespace quantry::engine
