#include "worker/engine/ops/fake_quantize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/distributed/batch_share.h"
#include "worker/engine/distributed/observed_values.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/quant/abs_max.h"
#include "worker/engine/quant/calibrator.h"
#include "worker/engine/quant/dorefa.h"
#include "worker/engine/quant/fake_quantize.h"
#include "worker/engine/quant/observers.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

// Whether s is a function of the tensor alone and never needs state.
bool FollowsTensor(const FakeQuantizeSpec& spec, const QuantizerDef& quantizer) {
  return spec.is_weight && quantizer.history == History::kNone && !quantizer.observes_once();
}

ObserveOptions OptionsOf(const FakeQuantizeSpec& spec) {
  return {.bits = spec.bits,
          .axis = spec.axis,
          .is_weight = spec.is_weight,
          .symmetric = spec.symmetric,
          .moving_rate = spec.moving_rate,
          .reference_start = spec.reference_start};
}

bool HasZeroPoint(const FakeQuantizeSpec& spec, const QuantizerDef& quantizer) {
  return quantizer.learned && !quantizer.learned_offset && !spec.symmetric;
}

bool FillsType(const FakeQuantizeSpec& spec) {
  return spec.fills_type && !spec.is_weight && !spec.pact && (spec.bits == 8 || spec.bits == 16);
}

// Of a learned step.
QParams LearnedQParams(const FakeQuantizeSpec& spec, const ObserverState& state) {
  const at::Tensor step = state.scale.detach().clamp_min(kSmallestStep);
  if (spec.symmetric) {
    return QParamsOfSteps(step, spec.bits, spec.full_range || FillsType(spec), spec.rounding);
  }
  const double zero_point = state.offset.defined()
                                ? -state.offset.detach().item<double>() / step.item<double>()
                                : state.zero_point.item<double>();
  return QParamsOfStep(step, zero_point, spec.bits, spec.rounding);
}

// Of thresholds, narrowed by `alpha` where that is defined.
QParams ThresholdQParams(const FakeQuantizeSpec& spec, const at::Tensor& scale,
                         const at::Tensor& alpha) {
  const at::Tensor s = alpha.defined() ? PactThreshold(alpha, scale) : scale.clamp_min(0);
  return spec.symmetric ? QParamsOfThresholds(s, spec.bits, FillsType(spec), spec.rounding)
                        : QParamsOfRange(s, spec.bits, spec.rounding);
}

// What x is quantized with; `scale` is the one to take where it is not learned.
QParams QParamsOf(const FakeQuantizeSpec& spec, const QuantizerDef& quantizer, const at::Tensor& x,
                  const ObserverState& state, const at::Tensor& scale, const at::Tensor& alpha) {
  if (quantizer.learned) return LearnedQParams(spec, state);
  if (quantizer.mapping == Mapping::kTanh) {
    return DorefaQParams(x, scale.detach(), spec.bits, spec.rounding);
  }
  return ThresholdQParams(spec, scale.detach(), alpha);
}

// LSQ's g = 1 / sqrt(N * Qp): N is the number of elements that share a step, of one example where x
// is an activation; Qp the number of integers above zero, or, where they are unsigned, on the wider
// side of the zero point.
double LearnedGradientFactor(const FakeQuantizeSpec& spec, const QParams& qparams,
                             const at::Tensor& x, bool learned_offset) {
  int64_t sharing = x.numel();
  if (spec.is_weight && spec.axis >= 0) sharing /= std::max<int64_t>(1, x.size(spec.axis));
  if (!spec.is_weight && x.dim() > 1) sharing /= std::max<int64_t>(1, x.size(0));
  const double n = static_cast<double>(std::max<int64_t>(1, sharing));
  const int64_t zero = learned_offset ? 0 : qparams.zero_point;
  const int64_t qp = spec.symmetric ? qparams.qmax : std::max(zero, qparams.qmax - zero);
  return 1 / std::sqrt(n * static_cast<double>(qp));
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
  QUANTRY_RETURN_IF_ERROR(require(kFakeQuantizeCount, window, "count"));
  QUANTRY_RETURN_IF_ERROR(require(kFakeQuantizeOffset, quantizer.learned_offset, "offset"));
  return require(kFakeQuantizeZeroPoint, HasZeroPoint(SpecOf(node), quantizer), "zero_point");
}

absl::Status CheckSpec(const FakeQuantizeSpec& spec, const QuantizerDef& quantizer) {
  if (spec.bits < kSmallestBits || spec.bits > kLargestBits) {
    return absl::InvalidArgumentError(
        absl::StrCat("bits is ", spec.bits, "; allowed: ", kSmallestBits, " to ", kLargestBits));
  }
  if (FindCalibrator(spec.calibrator) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("unknown calibrator '", spec.calibrator, "'"));
  }
  if (!(spec.calibrator_percentile > 50 && spec.calibrator_percentile <= 100)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "calibrator_percentile is ", spec.calibrator_percentile, "; allowed: above 50, up to 100"));
  }
  if (spec.is_weight ? !quantizer.for_weights : !quantizer.for_activations) {
    return absl::InvalidArgumentError(absl::StrCat("quantizer '", quantizer.name, "' is not for ",
                                                   spec.is_weight ? "weights" : "activations"));
  }
  if (spec.pact && quantizer.observes_once()) {
    return absl::InvalidArgumentError(
        absl::StrCat("PACT and '", quantizer.name,
                     "' exclude each other: both decide the range; take one of them"));
  }
  if (!spec.symmetric && spec.is_weight) {
    return absl::InvalidArgumentError("symmetric is 0; that is for activations");
  }
  return absl::OkStatus();
}

absl::Status Validate(const Node& node) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef* quantizer = FindQuantizer(spec.quantizer);
  if (quantizer == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("unknown quantizer '", spec.quantizer, "'"));
  }
  QUANTRY_RETURN_IF_ERROR(CheckSpec(spec, *quantizer));
  for (const size_t index : {kFakeQuantizeScale, kFakeQuantizeInitialized}) {
    if (node.input(index) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", static_cast<int>(index), " is missing"));
    }
  }
  if (spec.pact != (node.input(kFakeQuantizeAlpha) != nullptr)) {
    return absl::InvalidArgumentError("preprocess \"PACT\" and input alpha must come together");
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
          .initialized = at(kFakeQuantizeInitialized),
          .offset = at(kFakeQuantizeOffset),
          .zero_point = at(kFakeQuantizeZeroPoint)};
}

ObserverState StateOf(const Node& node) {
  std::vector<at::Tensor> inputs;
  for (const Value* input : node.inputs()) {
    inputs.push_back(input == nullptr ? at::Tensor() : input->tensor());
  }
  return StateOf(inputs);
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

// The threshold that x is to be quantized with, and the state brought up to date on the way. `seen`
// gives what the observer sees of x.
at::Tensor Look(const Node& node, const FakeQuantizeSpec& spec, const QuantizerDef& quantizer,
                absl::FunctionRef<at::Tensor()> seen, const ObserverState& state,
                const EvaluateContext& context) {
  const bool was_initialized = state.initialized.item<float>() != 0;
  const bool training = context.phase == RunPhase::kTrain && !context.observers_frozen;
  const bool looking = context.phase == RunPhase::kCalibrate ||
                       (training && !(quantizer.observes_once() && was_initialized));
  if (looking || FollowsTensor(spec, quantizer)) {
    return quantizer.observe(seen(), OptionsOf(spec), state);
  }
  if (spec.dynamic && quantizer.history == History::kNone && !quantizer.observes_once()) {
    return MagnitudesOf(seen(), OptionsOf(spec));
  }
  TORCH_CHECK(was_initialized, "the quantizer of '", node.input(kFakeQuantizeX)->name(),
              "' has not seen any data yet: calibrate first");
  return state.scale;
}

void StartAlpha(const FakeQuantizeSpec& spec, const ObserverState& state, const at::Tensor& alpha) {
  const at::NoGradGuard no_grad;
  alpha.copy_(spec.symmetric ? state.scale : state.scale.amax());
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext& context) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  const at::Tensor& x = inputs[kFakeQuantizeX];
  if (x.numel() == 0) return {x};
  const at::Tensor& alpha = inputs[kFakeQuantizeAlpha];
  const ObserverState state = StateOf(inputs);
  const bool was_initialized = state.initialized.item<float>() != 0;
  const at::Tensor scale = Look(
      node, spec, quantizer, [&] { return SeenOnAllRanks(x, spec, quantizer, context); }, state,
      context);
  const bool calibrating = context.phase == RunPhase::kCalibrate;
  if (alpha.defined() && spec.alpha_from_calibration && (calibrating || !was_initialized)) {
    StartAlpha(spec, state, alpha);
  }
  if (calibrating) return {x};
  const QParams qparams = QParamsOf(spec, quantizer, x, state, scale, alpha);
  if (!quantizer.learned) return {FakeQuantizeOn(x, qparams, alpha, spec.axis, spec.gradient)};
  const double factor = LearnedGradientFactor(spec, qparams, x, quantizer.learned_offset);
  return {FakeQuantizeLearnedOn(
      x, qparams, {.steps = state.scale, .offset = state.offset, .gradient_factor = factor},
      spec.axis)};
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
          {"alpha_from_calibration", int64_t{spec.alpha_from_calibration}},
          {"calibrator", spec.calibrator},
          {"calibrator_percentile", spec.calibrator_percentile},
          {"fills_type", int64_t{spec.fills_type}},
          {"rounding", static_cast<int64_t>(spec.rounding)},
          {"straight_through", int64_t{spec.gradient == InputGradient::kStraightThrough}},
          {"reference_start", int64_t{spec.reference_start}},
          {"dynamic", int64_t{spec.dynamic}},
          {"full_range", int64_t{spec.full_range}}};
}

FakeQuantizeSpec SpecOf(const Node& node) {
  const FakeQuantizeSpec defaults;
  FakeQuantizeSpec spec = {
      .quantizer = node.String("quantizer", defaults.quantizer),
      .bits = static_cast<int>(node.Int("bits", defaults.bits)),
      .axis = node.Int("axis", defaults.axis),
      .is_weight = node.Int("is_weight", 0) != 0,
      .symmetric = node.Int("symmetric", 1) != 0,
      .moving_rate = node.Float("moving_rate", defaults.moving_rate),
      .window_size = node.Int("window_size", defaults.window_size),
      .pact = node.String("preprocess", "") == "PACT",
      .alpha_from_calibration = node.Int("alpha_from_calibration", 0) != 0,
      .calibrator = node.String("calibrator", defaults.calibrator),
      .calibrator_percentile = node.Float("calibrator_percentile", defaults.calibrator_percentile),
      .fills_type = node.Int("fills_type", 0) != 0,
      .rounding =
          node.Int("rounding", 0) == 0 ? Rounding::kHalfToEven : Rounding::kHalfAwayFromZero,
      .gradient = node.Int("straight_through", 0) == 0 ? InputGradient::kMasked
                                                       : InputGradient::kStraightThrough,
      .reference_start = node.Int("reference_start", 0) != 0,
      .dynamic = node.Int("dynamic", 0) != 0,
      .full_range = node.Int("full_range", 0) != 0};
  const QuantizerDef* quantizer = FindQuantizer(spec.quantizer);
  if (quantizer != nullptr && quantizer->learned_offset) spec.symmetric = false;
  return spec;
}

void UseReference(FakeQuantizeSpec& spec) {
  spec.rounding = Rounding::kHalfAwayFromZero;
  spec.gradient = InputGradient::kStraightThrough;
  spec.reference_start = true;
  spec.dynamic = true;
  spec.full_range = true;
  spec.fills_type = false;
}

QParams EvaluationQParams(const Node& node) {
  const at::NoGradGuard no_grad;
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  const ObserverState state = StateOf(node);
  const at::Tensor& x = node.input(kFakeQuantizeX)->tensor();
  const Value* alpha = node.input(kFakeQuantizeAlpha);
  const at::Tensor scale =
      FollowsTensor(spec, quantizer) ? AbsMaxOf(x, spec.axis) : state.scale.detach();
  return QParamsOf(spec, quantizer, x, state, scale,
                   alpha == nullptr ? at::Tensor() : alpha->tensor().detach());
}

bool SeesOnlyRange(const FakeQuantizeSpec& spec) {
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  return !spec.is_weight && spec.axis < 0 && !spec.pact && !quantizer.observes_once() &&
         spec.rounding == Rounding::kHalfToEven && spec.gradient == InputGradient::kMasked;
}

QParams QParamsByRange(const Node& node, absl::Span<const at::Tensor> inputs,
                       absl::FunctionRef<at::Tensor()> range, const EvaluateContext& context) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  const at::Tensor scale = Look(node, spec, quantizer, range, StateOf(inputs), context);
  return ThresholdQParams(spec, scale.detach(), /*alpha=*/{});
}

bool TakesThreshold(const FakeQuantizeSpec& spec) {
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  return quantizer.start != nullptr && !FollowsTensor(spec, quantizer);
}

void StartFrom(const Node& node, const at::Tensor& threshold) {
  const at::NoGradGuard no_grad;
  const FakeQuantizeSpec spec = SpecOf(node);
  const ObserverState state = StateOf(node);
  FindQuantizer(spec.quantizer)->start(threshold, OptionsOf(spec), state);
  if (spec.pact && spec.alpha_from_calibration) {
    StartAlpha(spec, state, node.input(kFakeQuantizeAlpha)->tensor());
  }
}

bool NeedsObservation(const FakeQuantizeSpec& spec) {
  return !FollowsTensor(spec, *FindQuantizer(spec.quantizer));
}

extern const OperatorDef kFakeQuantizeOperator = {
    .op = kFakeQuantizeOp,
    .min_inputs = 2,
    .max_inputs = 10,
    .attributes = {{"alpha_from_calibration", AttributeKind::kInt},
                   {"axis", AttributeKind::kInt},
                   {"bits", AttributeKind::kInt},
                   {"calibrator", AttributeKind::kString},
                   {"calibrator_percentile", AttributeKind::kFloat},
                   {"dynamic", AttributeKind::kInt},
                   {"fills_type", AttributeKind::kInt},
                   {"full_range", AttributeKind::kInt},
                   {"is_weight", AttributeKind::kInt},
                   {"moving_rate", AttributeKind::kFloat},
                   {"preprocess", AttributeKind::kString},
                   {"quantizer", AttributeKind::kString},
                   {"reference_start", AttributeKind::kInt},
                   {"rounding", AttributeKind::kInt},
                   {"straight_through", AttributeKind::kInt},
                   {"symmetric", AttributeKind::kInt},
                   {"window_size", AttributeKind::kInt}},
    .input_kinds = {InputKind::kActivation, InputKind::kBuffer, InputKind::kBuffer,
                    InputKind::kBuffer, InputKind::kParameter, InputKind::kBuffer,
                    InputKind::kBuffer, InputKind::kBuffer, InputKind::kParameter,
                    InputKind::kBuffer},
    .validate = Validate,
    .evaluate = Evaluate,
};

}  // namespace quantry::engine
