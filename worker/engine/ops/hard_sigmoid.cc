#include <ATen/ATen.h>

#include <cmath>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// max(0, min(1, alpha * x + beta)). torch's hard sigmoid, relu6(x + 3) / 6, has alpha 1/6, beta
// 1/2.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const float alpha = node.Float("alpha", 0.2f);
  const float beta = node.Float("beta", 0.5f);
  if (std::abs(alpha - 1.0f / 6.0f) < 1e-6f && beta == 0.5f) return {at::hardsigmoid(inputs[0])};
  return {at::hardtanh(at::add(at::mul(inputs[0], alpha), beta), 0.0, 1.0)};
}

absl::Status Validate(const Node& node) {
  QUANTRY_RETURN_IF_ERROR(CheckFinite(node, "alpha"));
  return CheckFinite(node, "beta");
}

}  // namespace

extern const OperatorDef kHardSigmoidOperator = {
    .op = "HardSigmoid",
    .attributes = {{"alpha", AttributeKind::kFloat}, {"beta", AttributeKind::kFloat}},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
