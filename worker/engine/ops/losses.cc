// Losses that are part of a model file.
#include <ATen/ATen.h>

#include <string>

#include "common/status_macros.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// -weight[target] * log_probability[target] of scores [N, C, d...] and targets [N, d...]; targets
// of `ignore_index` count nothing. The mean is that of the weights.
at::Tensor Loss(const Node& node, const at::Tensor& log_probability, const at::Tensor& target,
                const at::Tensor& weight) {
  const at::Tensor wide = target.to(at::kLong);
  at::Tensor counted = at::ones_like(wide, at::kBool);
  if (node.HasAttribute("ignore_index")) counted = at::ne(wide, node.Int("ignore_index", 0));
  const at::Tensor classes = at::where(counted, wide, at::zeros_like(wide));
  const at::Tensor chosen = at::gather(log_probability, 1, classes.unsqueeze(1)).squeeze(1);
  at::Tensor weights = counted.to(log_probability.scalar_type());
  if (weight.defined()) {
    const at::Tensor each = at::index_select(weight, 0, classes.reshape({-1}));
    weights = at::mul(weights, each.reshape(classes.sizes()));
  }
  const at::Tensor loss = at::neg(at::mul(chosen, weights));
  const std::string reduction = node.String("reduction", "mean");
  if (reduction == "none") return loss;
  return reduction == "sum" ? at::sum(loss) : at::div(at::sum(loss), at::sum(weights));
}

absl::Status Validate(const Node& node) {
  return CheckOneOf(node, "reduction", {"none", "mean", "sum"});
}

std::vector<at::Tensor> LikelihoodLoss(const Node& node, absl::Span<const at::Tensor> inputs,
                                       const EvaluateContext&) {
  return {Loss(node, inputs[0], inputs[1], InputOr(inputs, 2))};
}

std::vector<at::Tensor> CrossEntropy(const Node& node, absl::Span<const at::Tensor> inputs,
                                     const EvaluateContext&) {
  const at::Tensor log_probability = at::log_softmax(inputs[0], 1);
  return FirstOutputs(
      node, {Loss(node, log_probability, inputs[1], InputOr(inputs, 2)), log_probability});
}

}  // namespace

extern const OperatorDef kNegativeLogLikelihoodLossOperator = {
    .op = "NegativeLogLikelihoodLoss",
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {{"ignore_index", AttributeKind::kInt}, {"reduction", AttributeKind::kString}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = LikelihoodLoss};

extern const OperatorDef kSoftmaxCrossEntropyLossOperator = {
    .op = "SoftmaxCrossEntropyLoss",
    .min_inputs = 2,
    .max_inputs = 3,
    .max_outputs = 2,
    .attributes = {{"ignore_index", AttributeKind::kInt}, {"reduction", AttributeKind::kString}},
    .input_kinds = {InputKind::kActivation, InputKind::kStatic},
    .validate = Validate,
    .evaluate = CrossEntropy};

}  // namespace quantry::engine
