#include <ATen/ATen.h>
#include <c10/core/WrapDimMinimal.h>

#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/flattened_axis.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

absl::Status Validate(const Node& node) { return CheckAxis(node, "axis"); }

at::Tensor Softmax(const Node& node, const at::Tensor& x) {
  return at::softmax(x, node.Int("axis", -1));
}

at::Tensor LogSoftmax(const Node& node, const at::Tensor& x) {
  return at::log_softmax(x, node.Int("axis", -1));
}

// 1 at the first of the largest elements, 0 elsewhere.
at::Tensor Hardmax(const Node& node, const at::Tensor& x) {
  const int64_t axis = c10::maybe_wrap_dim(node.Int("axis", -1), x.dim());
  return at::zeros_like(x).scatter(axis, at::argmax(x, axis, /*keepdim=*/true), 1);
}

}  // namespace

extern const OperatorDef kHardmaxOperator = {.op = "Hardmax",
                                             .attributes = {{"axis", AttributeKind::kInt}},
                                             .validate = Validate,
                                             .evaluate = UnaryOf<Hardmax>,
                                             .upgrade = UpgradeFlattenedAxis};

extern const OperatorDef kLogSoftmaxOperator = {.op = "LogSoftmax",
                                                .attributes = {{"axis", AttributeKind::kInt}},
                                                .validate = Validate,
                                                .evaluate = UnaryOf<LogSoftmax>,
                                                .upgrade = UpgradeFlattenedAxis};

extern const OperatorDef kSoftmaxOperator = {.op = "Softmax",
                                             .attributes = {{"axis", AttributeKind::kInt}},
                                             .validate = Validate,
                                             .evaluate = UnaryOf<Softmax>,
                                             .upgrade = UpgradeFlattenedAxis};

}  // namespace quantry::engine
