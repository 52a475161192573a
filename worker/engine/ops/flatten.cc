#include <ATen/ATen.h>

#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  int64_t axis = node.Int("axis", 1);
  if (axis < 0) axis += x.dim();
  TORCH_CHECK(axis >= 0 && axis <= x.dim(), "axis ", node.Int("axis", 1),
              " is outside of the input's ", x.dim(), " dimensions");
  int64_t rows = 1;
  int64_t columns = 1;
  for (int64_t i = 0; i < x.dim(); ++i) (i < axis ? rows : columns) *= x.size(i);
  return {x.reshape({rows, columns})};
}

absl::Status Validate(const Node& node) { return CheckAxis(node, "axis"); }

}  // namespace

extern const OperatorDef kFlattenOperator = {.op = "Flatten",
                                             .attributes = {{"axis", AttributeKind::kInt}},
                                             .validate = Validate,
                                             .evaluate = Evaluate};

}  // namespace quantry::engine
