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
                             at::IntArrayRef sizes, bool learned_offset) {
  int64_t sharing = c10::multiply_integers(sizes);
  if (spec.is_weight && spec.axis >= 0) {
    sharing /= std::max<int64_t>(1, sizes[static_cast<size_t>(spec.axis)]);
  }
  if (!spec.is_weight && sizes.size() > 1) sharing /= std::max<int64_t>(1, sizes[0]);
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

// Look, and PACT's alpha has its start where it comes from that.
at::Tensor LookAndStart(const Node& node, const FakeQuantizeSpec& spec,
                        const QuantizerDef& quantizer, absl::FunctionRef<at::Tensor()> seen,
                        const ObserverState& state, const at::Tensor& alpha,
                        const EvaluateContext& context) {
  const bool was_initialized = state.initialized.item<float>() != 0;
  at::Tensor scale = Look(node, spec, quantizer, seen, state, context);
  const bool starts = context.phase == RunPhase::kCalibrate || !was_initialized;
  if (alpha.defined() && spec.alpha_from_calibration && starts) StartAlpha(spec, state, alpha);
  return scale;
}

std::vector<at::Tensor> Evaluate(const Node& node, absl::Span<const at::Tensor> inputs,
                                 const EvaluateContext& context) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  const at::Tensor& x = inputs[kFakeQuantizeX];
  if (x.numel() == 0) return {x};
  const at::Tensor& alpha = inputs[kFakeQuantizeAlpha];
  const ObserverState state = StateOf(inputs);
  const at::Tensor scale = LookAndStart(
      node, spec, quantizer, [&] { return SeenOnAllRanks(x, spec, quantizer, context); }, state,
      alpha, context);
  if (context.phase == RunPhase::kCalibrate) return {x};
  const QParams qparams = QParamsOf(spec, quantizer, x, state, scale, alpha);
  if (!quantizer.learned) return {FakeQuantizeOn(x, qparams, alpha, spec.axis, spec.gradient)};
  const double factor = LearnedGradientFactor(spec, qparams, x.sizes(), quantizer.learned_offset);
  return {FakeQuantizeLearnedOn(
      x, qparams, {.steps = state.scale, .offset = state.offset, .gradient_factor = factor},
      spec.axis)};
}

// The factors of FakeQuantizeLearnedOn (quant/fake_quantize.h).
GridLearning LearningOfStep(const ObserverState& state, const QParams& qparams, double factor) {
  const int64_t zero = state.offset.defined() ? 0 : qparams.zero_point;
  return {.parameter = state.scale,
          .offset = state.offset,
          .low = qparams.low.item<double>(),
          .high = qparams.high.item<double>(),
          .by_below = factor * static_cast<double>(qparams.qmin - zero),
          .by_above = factor * static_cast<double>(qparams.qmax - zero),
          .by_rounding = factor,
          .offset_by_clipped = factor};
}

// Those of FakeQuantizeOn's PACT.
GridLearning LearningOfAlpha(const at::Tensor& alpha) {
  const double bound = alpha.detach().item<double>();
  return {.parameter = alpha, .low = -bound, .high = bound, .by_below = -1, .by_above = 1};
}

}  // namespace

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

bool NeedsOnlyRange(const FakeQuantizeSpec& spec) {
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  return !spec.is_weight && spec.axis < 0 && quantizer.mapping == Mapping::kNone &&
         spec.rounding == Rounding::kHalfToEven &&
         (quantizer.learned || spec.gradient == InputGradient::kMasked);
}

bool StartsByRange(const Node& node) {
  return !FindQuantizer(SpecOf(node).quantizer)->learned ||
         StateOf(node).initialized.item<float>() != 0;
}

ActivationGrid GridByRange(const Node& node, absl::Span<const at::Tensor> inputs,
                           at::IntArrayRef sizes, absl::FunctionRef<at::Tensor()> range,
                           const EvaluateContext& context) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  const ObserverState state = StateOf(inputs);
  const at::Tensor alpha =
      kFakeQuantizeAlpha < inputs.size() ? inputs[kFakeQuantizeAlpha] : at::Tensor();
  const at::Tensor scale = LookAndStart(node, spec, quantizer, range, state, alpha, context);
  ActivationGrid grid = {.qparams = QParamsOf(spec, quantizer, /*x=*/{}, state, scale,
                                              alpha.defined() ? alpha.detach() : alpha)};
  if (alpha.defined()) grid.learning = LearningOfAlpha(alpha);
  if (quantizer.learned) {
    const double factor =
        LearnedGradientFactor(spec, grid.qparams, sizes, quantizer.learned_offset);
    grid.learning = LearningOfStep(state, grid.qparams, factor);
  }
  return grid;
}

QParams WeightGridByMagnitudes(const Node& node, absl::Span<const at::Tensor> inputs,
                               absl::FunctionRef<at::Tensor()> magnitudes,
                               const EvaluateContext& context) {
  const FakeQuantizeSpec spec = SpecOf(node);
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  const at::Tensor scale = Look(node, spec, quantizer, magnitudes, StateOf(inputs), context);
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
