#include <ATen/ATen.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/ops/along_axis.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// The integers of an ONNX type, and how they are held.
struct IntegerRange {
  double least = 0.0;
  double most = 255.0;
  at::ScalarType dtype = at::kByte;
};

std::optional<IntegerRange> RangeOf(int64_t onnx_type) {
  switch (onnx_type) {
    case 2:
      return IntegerRange{0, 255, at::kByte};
    case 3:
      return IntegerRange{-128, 127, at::kChar};
    case 4:
      return IntegerRange{0, 65535, at::kInt};
    case 5:
      return IntegerRange{-32768, 32767, at::kShort};
    case 21:
      return IntegerRange{0, 15, at::kByte};
    case 22:
      return IntegerRange{-8, 7, at::kChar};
    default:
      return std::nullopt;
  }
}

// The ONNX type of the result: what output_dtype says, else that of the zero point, else uint8.
int64_t TypeOfResult(const Node& node, const at::Tensor& zero_point) {
  const int64_t asked = node.Int("output_dtype", 0);
  if (asked != 0) return asked;
  if (!zero_point.defined() || zero_point.scalar_type() == at::kByte) return 2;
  if (zero_point.scalar_type() == at::kChar) return 3;
  if (zero_point.scalar_type() == at::kShort) return 5;
  return zero_point.scalar_type() == at::kInt ? 4 : 0;
}

// saturate(round_half_even(x / scale) + zero_point). A scale may stand for a block of elements.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor x = inputs[0].to(at::kFloat);
  const int64_t axis = node.Int("axis", 1);
  const int64_t block = node.Int("block_size", 0);
  const at::Tensor zero_point = InputOr(inputs, 2);
  const std::optional<IntegerRange> range = RangeOf(TypeOfResult(node, zero_point));
  TORCH_CHECK(range.has_value(), "the zero point must be an integer of 4, 8 or 16 bits");
  at::Tensor q = at::round(at::div(x, AlongBlocks(inputs[1], x, axis, block)));
  if (zero_point.defined()) {
    q = at::add(q, AlongBlocks(zero_point.to(at::kFloat), x, axis, block));
  }
  return {at::clamp(q, range->least, range->most).to(range->dtype)};
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "block_size", 0, 1 << 30));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "saturate", 0, 1));
  const int64_t type = node.Int("output_dtype", 0);
  if (type != 0 && !RangeOf(type)) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'output_dtype' is ", type,
                     "; allowed are the ONNX types 2 to 5 (8 and 16 bits), 21 and 22 (4 bits)"));
  }
  return CheckAxis(node, "axis");
}

}  // namespace

extern const OperatorDef kQuantizeLinearOperator = {
    .op = "QuantizeLinear",
    .min_inputs = 2,
    .max_inputs = 3,
    // `saturate` is about float8 only, which is refused.
    .attributes = {{"axis", AttributeKind::kInt},
                   {"block_size", AttributeKind::kInt},
                   {"output_dtype", AttributeKind::kInt},
                   {"saturate", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
