#include <ATen/ATen.h>

#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node&, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  TORCH_CHECK(x.dim() >= 3, "the input must have at least 3 dimensions");
  if (x.dim() == 4) return {at::adaptive_avg_pool2d(x, {1, 1})};
  std::vector<int64_t> axes;
  for (int64_t axis = 2; axis < x.dim(); ++axis) axes.push_back(axis);
  return {at::mean(x, axes, /*keepdim=*/true)};
}

}  // namespace

extern const OperatorDef kGlobalAveragePoolOperator = {.op = "GlobalAveragePool",
                                                       .evaluate = Evaluate};

extern const OperatorDef kGlobalMaxPoolOperator = {
    .op = "GlobalMaxPool", .evaluate = Unary<[](const at::Tensor& x) {
                             TORCH_CHECK(x.dim() >= 3, "the input must have at least 3 dimensions");
                             std::vector<int64_t> axes;
                             for (int64_t axis = 2; axis < x.dim(); ++axis) axes.push_back(axis);
                             return at::amax(x, axes, /*keepdim=*/true);
                           }>};

}  // namespace quantry::engine
