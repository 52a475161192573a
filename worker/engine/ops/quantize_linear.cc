#include <ATen/ATen.h>

#include "worker/engine/ops/along_axis.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// saturate(round_half_even(x / scale) + zero_point); the zero point says the type (default uint8).
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor x = inputs[0].to(at::kFloat);
  const int64_t axis = node.Int("axis", 1);
  const bool given = inputs.size() > 2 && inputs[2].defined();
  const at::ScalarType dtype = given ? inputs[2].scalar_type() : at::kByte;
  TORCH_CHECK(dtype == at::kByte || dtype == at::kChar, "the zero point must be int8 or uint8");
  at::Tensor q = at::round(at::div(x, AlongAxis(inputs[1], x, axis)));
  if (given) q = at::add(q, AlongAxis(inputs[2].to(at::kFloat), x, axis));
  const bool is_signed = dtype == at::kChar;
  return {at::clamp(q, is_signed ? -128 : 0, is_signed ? 127 : 255).to(dtype)};
}

absl::Status Validate(const Node& node) { return CheckAxis(node, "axis"); }

}  // namespace

extern const OperatorDef kQuantizeLinearOperator = {
    .op = "QuantizeLinear",
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {{"axis", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
