#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// alpha * A' * B' + beta * C.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const float alpha = node.Float("alpha", 1.0f);
  const float beta = node.Float("beta", 1.0f);
  const bool transposed = node.Int("transB", 0) != 0;
  const at::Tensor a = node.Int("transA", 0) != 0 ? inputs[0].t() : inputs[0];
  const at::Tensor c = inputs.size() > 2 ? inputs[2] : at::Tensor();
  TORCH_CHECK(a.dim() == 2 && inputs[1].dim() == 2, "A and B must have 2 dimensions");
  const bool plain = alpha == 1.0f && beta == 1.0f;
  if (plain && transposed && (!c.defined() || c.dim() == 1)) return {at::linear(a, inputs[1], c)};
  const at::Tensor b = transposed ? inputs[1].t() : inputs[1];
  if (c.defined()) return {at::addmm(c, a, b, beta, alpha)};
  return {alpha == 1.0f ? at::mm(a, b) : at::mul(at::mm(a, b), alpha)};
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckFinite(node, "alpha"));
  QUANTRY_RETURN_IF_ERROR(CheckFinite(node, "beta"));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "transA", 0, 1));
  return CheckInt(node, "transB", 0, 1);
}

std::string LayerType(const Node& node) {
  const Value* weight = InitializerBehind(node, 1);
  return weight != nullptr && weight->tensor().dim() == 2 ? "Linear" : "";
}

int64_t WeightAxis(const Node& node) { return node.Int("transB", 0) != 0 ? 0 : 1; }

}  // namespace

extern const OperatorDef kGemmOperator = {
    .op = "Gemm",
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {{"alpha", AttributeKind::kFloat},
                   {"beta", AttributeKind::kFloat},
                   {"transA", AttributeKind::kInt},
                   {"transB", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kWeight, InputKind::kBias},
    .precision_use = PrecisionUse::kAll,
    .layer_type = LayerType,
    .weight_axis = WeightAxis,
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
