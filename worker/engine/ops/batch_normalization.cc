#include "worker/engine/ops/batch_normalization.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/distributed/batch_share.h"
#include "worker/engine/distributed/sync_batch_norm.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/ops/upgrades.h"

namespace quantry::engine {
namespace {

constexpr float kDefaultEpsilon = 1e-5f;
constexpr float kDefaultMomentum = 0.9f;

// With Precision::kFloat64: sums in float64, x and the result in float32.
at::Tensor InFloat64(absl::Span<const at::Tensor> inputs, const EvaluateContext& context,
                     bool training, double momentum, double epsilon) {
  static SingleProcess alone;
  const at::Tensor x = inputs[0].to(at::kDouble);
  const at::Tensor gamma = inputs[1].to(at::kDouble);
  const at::Tensor beta = inputs[2].to(at::kDouble);
  if (!training) {
    return at::batch_norm(x, gamma, beta, inputs[3].to(at::kDouble), inputs[4].to(at::kDouble),
                          /*training=*/false, momentum, epsilon, /*cudnn_enabled=*/false)
        .to(at::kFloat);
  }
  const bool together = context.share != nullptr && context.share->sync_batch_norm;
  Collective& ranks = together ? context.share->ranks : alone;
  return SyncBatchNorm(x, gamma, beta, inputs[3], inputs[4], momentum, epsilon, ranks)
      .to(at::kFloat);
}

// Inputs: x, gamma, beta, running mean, running variance. ONNX's momentum is the share of the old
// running value, torch's that of the new one. As in torch, the running variance is that of n - 1.
std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext& context) {
  const bool training = UsesBatchStatistics(context);
  const auto [epsilon, momentum] = BatchNormSettingsOf(node);
  if (context.precision == Precision::kFloat64 && inputs[0].scalar_type() == at::kFloat) {
    return {InFloat64(inputs, context, training, momentum, epsilon)};
  }
  if (training && context.share != nullptr && context.share->sync_batch_norm) {
    return {SyncBatchNorm(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], momentum, epsilon,
                          context.share->ranks)};
  }
  return {at::batch_norm(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], training, momentum,
                         epsilon, at::globalContext().userEnabledCuDNN())};
}

absl::Status Validate(const Node& node) {
  const float momentum = node.Float("momentum", kDefaultMomentum);
  if (!(momentum >= 0.0f && momentum <= 1.0f)) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'momentum' is ", momentum, "; allowed are 0 to 1"));
  }
  const float epsilon = node.Float("epsilon", kDefaultEpsilon);
  if (!(epsilon >= 0.0f && epsilon < 1e6f)) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'epsilon' is ", epsilon, "; it must be at least 0"));
  }
  return absl::OkStatus();
}

// The phase of the run says whether the node trains. `spatial` existed up to opset 8.
absl::Status Upgrade(Graph&, Node& node, int64_t opset) {
  node.attributes.erase("training_mode");
  if (opset >= 9) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<int64_t> spatial,
                           TakeAttribute<int64_t>(node, "spatial"));
  if (spatial.value_or(1) == 1) return absl::OkStatus();
  return absl::InvalidArgumentError("attribute 'spatial' is 0; only 1 is supported");
}

}  // namespace

BatchNormSettings BatchNormSettingsOf(const Node& node) {
  return {.epsilon = DecimalOf(node.Float("epsilon", kDefaultEpsilon)),
          .new_share = 1.0 - DecimalOf(node.Float("momentum", kDefaultMomentum))};
}

bool UsesBatchStatistics(const EvaluateContext& context) {
  return context.phase == RunPhase::kTrain && !context.statistics_frozen;
}

extern const OperatorDef kBatchNormalizationOperator = {
    .op = "BatchNormalization",
    .min_inputs = 5,
    .max_inputs = 5,
    .attributes = {{"epsilon", AttributeKind::kFloat}, {"momentum", AttributeKind::kFloat}},
    .input_kinds = {InputKind::kActivation, InputKind::kParameter, InputKind::kParameter,
                    InputKind::kBuffer, InputKind::kBuffer},
    .validate = Validate,
    .evaluate = Evaluate,
    .upgrade = Upgrade};

}  // namespace quantry::engine
