#include <ATen/ATen.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// ONNX TensorProto.DataType; the types that both sides have.
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
    case 6:
      return at::kInt;
    case 7:
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

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  return {inputs[0].to(DtypeOf(node.Int("to", 1)).value_or(at::kFloat))};
}

absl::Status Validate(const Node& node) {
  const int64_t to = node.Int("to", 1);
  if (DtypeOf(to)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "attribute 'to' is ", to, "; allowed are the ONNX types 1, 2, 3, 5, 6, 7, 9, 10, 11, 16"));
}

}  // namespace

extern const OperatorDef kCastOperator = {
    .op = "Cast",
    .attributes = {{"to", AttributeKind::kInt, /*required=*/true}},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
