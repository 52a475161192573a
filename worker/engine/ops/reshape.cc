#include <ATen/ATen.h>

#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  std::vector<int64_t> sizes = IntsOf(inputs[1]);
  if (node.Int("allowzero", 0) != 0) return {x.reshape(sizes)};
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) sizes[i] = x.size(static_cast<int64_t>(i));
  }
  return {x.reshape(sizes)};
}

absl::Status Validate(const Node& node) { return CheckInt(node, "allowzero", 0, 1); }

}  // namespace

extern const OperatorDef kReshapeOperator = {
    .op = "Reshape",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"allowzero", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
