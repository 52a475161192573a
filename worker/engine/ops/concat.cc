#include <ATen/ATen.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext&) {
  return {at::cat(std::vector<at::Tensor>(inputs.begin(), inputs.end()), node.Int("axis", 0))};
}

absl::Status Validate(const Node& node) {
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    if (node.input(i) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
    }
  }
  return CheckAxis(node, "axis");
}

}  // namespace

extern const OperatorDef kConcatOperator = {
    .op = "Concat",
    .min_inputs = 1,
    .max_inputs = std::numeric_limits<int>::max(),
    .attributes = {{"axis", AttributeKind::kInt, /*required=*/true}},
    .validate = Validate,
    .evaluate = Evaluate};

}  // namespace quantry::engine
