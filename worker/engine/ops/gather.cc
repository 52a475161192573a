#include <ATen/ATen.h>

#include <c10/core/WrapDimMinimal.h>

#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// The elements of x along `axis` at the indices; the indices' shape takes the place of that axis.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  const at::Tensor& x = inputs[0];
  TORCH_CHECK(x.dim() >= 1, "the input must not be a scalar");
  const int64_t axis = c10::maybe_wrap_dim(node.Int("axis", 0), x.dim());
  at::Tensor indices = inputs[1].to(x.device(), at::kLong);
  indices = at::where(indices < 0, indices + x.size(axis), indices);
  std::vector<int64_t> sizes = x.sizes().vec();
  const auto place = sizes.erase(sizes.begin() + axis);
  sizes.insert(place, indices.sizes().begin(), indices.sizes().end());
  return {at::index_select(x, axis, indices.reshape({-1})).reshape(sizes)};
}

absl::Status Validate(const Node& node) { return CheckAxis(node, "axis"); }

}  // namespace

extern const OperatorDef kGatherOperator = {
    .op = "Gather",
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"axis", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
