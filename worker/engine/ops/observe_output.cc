#include "worker/engine/ops/observe_output.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "worker/engine/distributed/batch_share.h"
#include "worker/engine/distributed/observed_values.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/quant/observers.h"

namespace quantry::engine {
namespace {

absl::Status Validate(const Node& node) {
  const float rate = node.Float("moving_rate", 0);
  if (rate > 0 && rate < 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("moving_rate is ", rate, "; it must be in (0, 1)"));
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext& context) {
  const at::Tensor& x = inputs[kObserveOutputX];
  const bool looking = context.phase == RunPhase::kCalibrate ||
                       (context.phase == RunPhase::kTrain && !context.observers_frozen);
  if (looking && x.numel() > 0) {
    // Whether it was looked at shows in `state`.
    const at::Tensor initialized = at::zeros({}, x.options().requires_grad(false));
    const at::Tensor seen = context.share == nullptr ? x : RangeOfAllRanks(x, context.share->ranks);
    ObserveMovingAverage(seen, {.moving_rate = node.Float("moving_rate", 0)},
                         {.scale = inputs[kObserveOutputScale],
                          .accum = inputs[kObserveOutputAccum],
                          .state = inputs[kObserveOutputState],
                          .initialized = initialized});
  }
  return {x};
}

}  // namespace

extern const OperatorDef kObserveOutputOperator = {
    .op = kObserveOutputOp,
    .min_inputs = 4,
    .max_inputs = 4,
    .attributes = {{"moving_rate", AttributeKind::kFloat, /*required=*/true}},
    .input_kinds = {InputKind::kActivation, InputKind::kBuffer},
    .validate = Validate,
    .evaluate = Evaluate,
};

}  // namespace quantry::engine
