#include "worker/engine/ops/fake_quantize.h"

#include <ATen/ATen.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/quant_config.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/quant/abs_max.h"
#include "worker/engine/quant/fake_quantize.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

// Whether s is a function of the tensor alone and never needs state.
bool FollowsTensor(const FakeQuantizeSpec& spec, const QuantizerDef& quantizer) {
  return spec.is_weight && !quantizer.averages;
}

at::Tensor Narrowed(const at::Tensor& threshold, const at::Tensor& alpha) {
  return alpha.defined() ? PactThreshold(alpha, threshold) : threshold;
}

absl::Status Validate(const Node& node) {
  const FakeQuantizeSpec spec = SpecOf(node);
  if (FindQuantizer(spec.quantizer) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("unknown quantizer '", spec.quantizer, "'"));
  }
  if (spec.bits < kMinQuantBits || spec.bits > kMaxQuantBits) {
    return absl::InvalidArgumentError(
        absl::StrCat("bits is ", spec.bits, "; allowed: ", kMinQuantBits, " to ", kMaxQuantBits));
  }
  for (const size_t index : {kFakeQuantizeScale, kFakeQuantizeInitialized}) {
    if (node.input(index) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", static_cast<int>(index), " is missing"));
    }
  }
  if (spec.pact != (node.input(kFakeQuantizeAlpha) != nullptr)) {
    return absl::InvalidArgumentError("preprocess \"PACT\" and input alpha must come together");
  }
  return absl::OkStatus();
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext& context) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  const at::Tensor& x = inputs[kFakeQuantizeX];
  const at::Tensor& alpha = inputs[kFakeQuantizeAlpha];
  const ObserverState state = {.scale = inputs[kFakeQuantizeScale],
                               .accum = inputs[kFakeQuantizeAccum],
                               .state = inputs[kFakeQuantizeState],
                               .initialized = inputs[kFakeQuantizeInitialized]};
  const bool calibrating = context.phase == RunPhase::kCalibrate;
  const bool looking =
      calibrating || (context.phase == RunPhase::kTrain && !context.observers_frozen);
  const bool was_initialized = state.initialized.item<float>() != 0;

  at::Tensor threshold = state.scale;
  if (looking || FollowsTensor(spec, quantizer)) {
    threshold = quantizer.observe(AbsMaxOf(x, spec.axis), spec.moving_rate, spec.is_weight, state);
  } else {
    TORCH_CHECK(was_initialized, "the quantizer of '", node.input(kFakeQuantizeX)->name(),
                "' has not seen any data yet: calibrate first");
  }
  if (alpha.defined() && spec.alpha_from_calibration && (calibrating || !was_initialized)) {
    const at::NoGradGuard no_grad;
    alpha.copy_(state.scale);
  }
  if (calibrating) return {x};
  return {
      FakeQuantize(x, Narrowed(threshold, alpha), alpha, {.bits = spec.bits, .axis = spec.axis})};
}

}  // namespace

AttributeMap ToAttributes(const FakeQuantizeSpec& spec) {
  return {{"quantizer", spec.quantizer},
          {"bits", int64_t{spec.bits}},
          {"axis", spec.axis},
          {"is_weight", int64_t{spec.is_weight}},
          {"moving_rate", spec.moving_rate},
          {"preprocess", std::string(spec.pact ? "PACT" : "")},
          {"alpha_from_calibration", int64_t{spec.alpha_from_calibration}}};
}

FakeQuantizeSpec SpecOf(const Node& node) {
  const FakeQuantizeSpec defaults;
  return {.quantizer = node.String("quantizer", defaults.quantizer),
          .bits = static_cast<int>(node.Int("bits", defaults.bits)),
          .axis = node.Int("axis", defaults.axis),
          .is_weight = node.Int("is_weight", 0) != 0,
          .moving_rate = node.Float("moving_rate", defaults.moving_rate),
          .pact = node.String("preprocess", "") == "PACT",
          .alpha_from_calibration = node.Int("alpha_from_calibration", 0) != 0};
}

at::Tensor EvaluationThreshold(const Node& node) {
  const at::NoGradGuard no_grad;
  const FakeQuantizeSpec spec = SpecOf(node);
  const Value* alpha = node.input(kFakeQuantizeAlpha);
  const at::Tensor threshold = FollowsTensor(spec, *FindQuantizer(spec.quantizer))
                                   ? AbsMaxOf(node.input(kFakeQuantizeX)->tensor(), spec.axis)
                                   : node.input(kFakeQuantizeScale)->tensor();
  return Narrowed(threshold, alpha == nullptr ? at::Tensor() : alpha->tensor().detach())
      .clamp_min(0);
}

extern const OperatorDef kFakeQuantizeOperator = {
    .op = kFakeQuantizeOp,
    .min_inputs = 2,
    .max_inputs = 6,
    .attributes = {{"alpha_from_calibration", AttributeKind::kInt},
                   {"axis", AttributeKind::kInt},
                   {"bits", AttributeKind::kInt},
                   {"is_weight", AttributeKind::kInt},
                   {"moving_rate", AttributeKind::kFloat},
                   {"preprocess", AttributeKind::kString},
                   {"quantizer", AttributeKind::kString}},
    .input_kinds = {InputKind::kActivation, InputKind::kBuffer, InputKind::kBuffer,
                    InputKind::kBuffer, InputKind::kParameter, InputKind::kBuffer},
    .validate = Validate,
    .evaluate = Evaluate,
};

}  // namespace quantry::engine
