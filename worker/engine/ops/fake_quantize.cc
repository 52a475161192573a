#include "worker/engine/ops/fake_quantize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/quant_config.h"
#include "common/status_macros.h"
#include "worker/engine/distributed/batch_share.h"
#include "worker/engine/distributed/observed_values.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/quant/abs_max.h"
#include "worker/engine/quant/fake_quantize.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

// Whether s is a function of the tensor alone and never needs state.
bool FollowsTensor(const FakeQuantizeSpec& spec, const QuantizerDef& quantizer) {
  return spec.is_weight && quantizer.history == History::kNone;
}

ObserveOptions OptionsOf(const FakeQuantizeSpec& spec) {
  return {.bits = spec.bits,
          .axis = spec.axis,
          .is_weight = spec.is_weight,
          .symmetric = spec.symmetric,
          .moving_rate = spec.moving_rate};
}

// Of a scale that is not learned.
QParams QParamsOf(const FakeQuantizeSpec& spec, const at::Tensor& scale, const at::Tensor& alpha) {
  const at::Tensor s = alpha.defined() ? PactThreshold(alpha, scale) : scale.clamp_min(0);
  return spec.symmetric ? QParamsOfThresholds(s, spec.bits) : QParamsOfRange(s, spec.bits);
}

// LSQ's g = 1 / sqrt(N * q): N is the number of elements that share a step, of one example where x
// is an activation.
double LearnedGradientFactor(const FakeQuantizeSpec& spec, const at::Tensor& x) {
  int64_t sharing = x.numel();
  if (spec.is_weight && spec.axis >= 0) sharing /= std::max<int64_t>(1, x.size(spec.axis));
  if (!spec.is_weight && x.dim() > 1) sharing /= std::max<int64_t>(1, x.size(0));
  const double n = static_cast<double>(std::max<int64_t>(1, sharing));
  return 1 / std::sqrt(n * QuantMax(spec.bits));
}

absl::Status CheckState(const Node& node, const QuantizerDef& quantizer) {
  const auto require = [&](size_t index, bool wanted, absl::string_view name) {
    if ((node.input(index) != nullptr) == wanted) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("input ", static_cast<int>(index), " (", name,
                                                   ") ", wanted ? "is missing" : "is too much",
                                                   " with quantizer '", quantizer.name, "'"));
  };
  const bool sums = quantizer.history == History::kSums;
  const bool window = quantizer.history == History::kWindow;
  QUANTRY_RETURN_IF_ERROR(require(kFakeQuantizeAccum, sums, "accum"));
  QUANTRY_RETURN_IF_ERROR(require(kFakeQuantizeState, sums, "state"));
  QUANTRY_RETURN_IF_ERROR(require(kFakeQuantizeWindow, window, "window"));
  return require(kFakeQuantizeCount, window, "count");
}

absl::Status Validate(const Node& node) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef* quantizer = FindQuantizer(spec.quantizer);
  if (quantizer == nullptr) {
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
  if (spec.pact && quantizer->learned) {
    return absl::InvalidArgumentError("PACT and a learned step exclude each other");
  }
  if (!spec.symmetric && (spec.is_weight || quantizer->learned)) {
    return absl::InvalidArgumentError(
        "symmetric is 0; that is for activations whose quantizer is not learned");
  }
  return CheckState(node, *quantizer);
}

ObserverState StateOf(absl::Span<const at::Tensor> inputs) {
  // Trailing inputs may be left out altogether.
  const auto at = [&](size_t index) {
    return index < inputs.size() ? inputs[index] : at::Tensor();
  };
  return {.scale = at(kFakeQuantizeScale),
          .accum = at(kFakeQuantizeAccum),
          .state = at(kFakeQuantizeState),
          .window = at(kFakeQuantizeWindow),
          .count = at(kFakeQuantizeCount),
          .initialized = at(kFakeQuantizeInitialized)};
}

// What stands for x before an observer where several processes train together: the same on all of
// them, and observed as the whole batch would be. Weights are the same everywhere anyway, and so is
// what calibration sees.
at::Tensor SeenOnAllRanks(const at::Tensor& x, const FakeQuantizeSpec& spec,
                          const QuantizerDef& quantizer, const EvaluateContext& context) {
  if (context.share == nullptr || spec.is_weight) return x;
  // Observers of ranges see nothing but the range; the start of a learned step is of all values.
  return quantizer.learned ? ValuesOfAllRanks(x, context.share->ranks)
                           : RangeOfAllRanks(x, context.share->ranks);
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext& context) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  const at::Tensor& x = inputs[kFakeQuantizeX];
  const at::Tensor& alpha = inputs[kFakeQuantizeAlpha];
  const ObserverState state = StateOf(inputs);
  const bool calibrating = context.phase == RunPhase::kCalibrate;
  const bool was_initialized = state.initialized.item<float>() != 0;
  const bool training = context.phase == RunPhase::kTrain && !context.observers_frozen;
  const bool looking = calibrating || (training && !(quantizer.learned && was_initialized));

  at::Tensor scale = state.scale;
  if (looking || FollowsTensor(spec, quantizer)) {
    scale = quantizer.observe(SeenOnAllRanks(x, spec, quantizer, context), OptionsOf(spec), state);
  } else {
    TORCH_CHECK(was_initialized, "the quantizer of '", node.input(kFakeQuantizeX)->name(),
                "' has not seen any data yet: calibrate first");
  }
  if (alpha.defined() && spec.alpha_from_calibration && (calibrating || !was_initialized)) {
    const at::NoGradGuard no_grad;
    alpha.copy_(spec.symmetric ? state.scale : state.scale.amax());
  }
  if (calibrating) return {x};
  if (quantizer.learned) {
    return {FakeQuantizeLearned(x, state.scale, LearnedGradientFactor(spec, x),
                                {.bits = spec.bits, .axis = spec.axis})};
  }
  return {FakeQuantizeOn(x, QParamsOf(spec, scale.detach(), alpha), alpha, spec.axis)};
}

}  // namespace

AttributeMap ToAttributes(const FakeQuantizeSpec& spec) {
  return {{"quantizer", spec.quantizer},
          {"bits", int64_t{spec.bits}},
          {"axis", spec.axis},
          {"is_weight", int64_t{spec.is_weight}},
          {"symmetric", int64_t{spec.symmetric}},
          {"moving_rate", spec.moving_rate},
          {"window_size", spec.window_size},
          {"preprocess", std::string(spec.pact ? "PACT" : "")},
          {"alpha_from_calibration", int64_t{spec.alpha_from_calibration}}};
}

FakeQuantizeSpec SpecOf(const Node& node) {
  const FakeQuantizeSpec defaults;
  return {.quantizer = node.String("quantizer", defaults.quantizer),
          .bits = static_cast<int>(node.Int("bits", defaults.bits)),
          .axis = node.Int("axis", defaults.axis),
          .is_weight = node.Int("is_weight", 0) != 0,
          .symmetric = node.Int("symmetric", 1) != 0,
          .moving_rate = node.Float("moving_rate", defaults.moving_rate),
          .window_size = node.Int("window_size", defaults.window_size),
          .pact = node.String("preprocess", "") == "PACT",
          .alpha_from_calibration = node.Int("alpha_from_calibration", 0) != 0};
}

QParams EvaluationQParams(const Node& node) {
  const at::NoGradGuard no_grad;
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  const at::Tensor scale = node.input(kFakeQuantizeScale)->tensor().detach();
  if (quantizer.learned) return QParamsOfSteps(scale.clamp_min(kSmallestStep), spec.bits);
  const Value* alpha = node.input(kFakeQuantizeAlpha);
  const at::Tensor s = FollowsTensor(spec, quantizer)
                           ? AbsMaxOf(node.input(kFakeQuantizeX)->tensor(), spec.axis)
                           : scale;
  return QParamsOf(spec, s, alpha == nullptr ? at::Tensor() : alpha->tensor().detach());
}

bool NeedsObservation(const FakeQuantizeSpec& spec) {
  return !FollowsTensor(spec, *FindQuantizer(spec.quantizer));
}

extern const OperatorDef kFakeQuantizeOperator = {
    .op = kFakeQuantizeOp,
    .min_inputs = 2,
    .max_inputs = 8,
    .attributes = {{"alpha_from_calibration", AttributeKind::kInt},
                   {"axis", AttributeKind::kInt},
                   {"bits", AttributeKind::kInt},
                   {"is_weight", AttributeKind::kInt},
                   {"moving_rate", AttributeKind::kFloat},
                   {"preprocess", AttributeKind::kString},
                   {"quantizer", AttributeKind::kString},
                   {"symmetric", AttributeKind::kInt},
                   {"window_size", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kBuffer, InputKind::kBuffer,
                    InputKind::kBuffer, InputKind::kParameter, InputKind::kBuffer,
                    InputKind::kBuffer, InputKind::kBuffer},
    .validate = Validate,
    .evaluate = Evaluate,
};

}  // namespace quantry::engine
