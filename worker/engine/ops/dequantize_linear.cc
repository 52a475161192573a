#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/ops/along_axis.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// (x - zero_point) * scale, for integers of up to 32 bits; those of 4 bits are held in 8, uint16 in
// int32. A scale may stand for a block of elements.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  const int64_t axis = node.Int("axis", 1);
  const int64_t block = node.Int("block_size", 0);
  TORCH_CHECK(
      at::isIntegralType(x.scalar_type(), /*includeBool=*/false) && x.scalar_type() != at::kLong,
      "the input must be an integer of 4, 8, 16 or 32 bits");
  at::Tensor q = x.to(at::kInt);
  if (inputs.size() > 2 && inputs[2].defined()) {
    q = at::sub(q, AlongBlocks(inputs[2].to(at::kInt), x, axis, block));
  }
  return {at::mul(q.to(at::kFloat), AlongBlocks(inputs[1], x, axis, block))};
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "block_size", 0, 1 << 30));
  return CheckAxis(node, "axis");
}

}  // namespace

extern const OperatorDef kDequantizeLinearOperator = {
    .op = "DequantizeLinear",
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {{"axis", AttributeKind::kInt}, {"block_size", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
