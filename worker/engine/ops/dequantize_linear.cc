#include <ATen/ATen.h>

#include "worker/engine/ops/along_axis.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// (x - zero_point) * scale, for int8, uint8 and int32.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const int64_t axis = node.Int("axis", 1);
  TORCH_CHECK(
      x.scalar_type() == at::kChar || x.scalar_type() == at::kByte || x.scalar_type() == at::kInt,
      "the input must be int8, uint8 or int32");
  at::Tensor q = x.to(at::kInt);
  if (inputs.size() > 2 && inputs[2].defined()) {
    q = at::sub(q, AlongAxis(inputs[2].to(at::kInt), x, axis));
  }
  return {at::mul(q.to(at::kFloat), AlongAxis(inputs[1], x, axis))};
}

absl::Status Validate(const Node& node) { return CheckAxis(node, "axis"); }

}  // namespace

extern const OperatorDef kDequantizeLinearOperator = {
    .op = "DequantizeLinear",
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {{"axis", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
