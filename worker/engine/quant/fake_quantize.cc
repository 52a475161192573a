#include "worker/engine/quant/fake_quantize.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numeric>
#include <utility>
#include <vector>

#include "worker/engine/quant/cpu_kernels.h"
#include "worker/engine/quant/dense_runs.h"
#include "worker/engine/quant/dorefa.h"
#include "worker/engine/quant/last_axis.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// QParams as the kernels take them: one grid per channel.
std::vector<Grid> GridsOf(const QParams& qparams) {
  const at::Tensor low = qparams.low.contiguous();
  const at::Tensor high = qparams.high.contiguous();
  const at::Tensor step = qparams.step.contiguous();
  const at::Tensor span = (qparams.span.defined() ? qparams.span : qparams.step).contiguous();
  std::vector<Grid> grids(static_cast<size_t>(step.numel()));
  for (size_t i = 0; i < grids.size(); ++i) {
    grids[i] = {.low = low.data_ptr<float>()[i],
                .high = high.data_ptr<float>()[i],
                .step = step.data_ptr<float>()[i],
                .span = span.data_ptr<float>()[i],
                .levels = static_cast<float>(qparams.span.defined() ? qparams.levels : 1)};
  }
  return grids;
}

// The generic form of the kernels, for other devices, types and layouts.
at::Tensor GenericForward(const at::Tensor& x, const QParams& qparams, int64_t axis) {
  const at::Tensor clamped = at::minimum(at::maximum(x, BroadcastAlong(qparams.low, x, axis)),
                                         BroadcastAlong(qparams.high, x, axis));
  if (qparams.rounding == Rounding::kHalfToEven || !qparams.span.defined()) {
    const at::Tensor steps = BroadcastAlong(qparams.step, x, axis);
    return RoundWith(clamped / steps, qparams.rounding) * steps;
  }
  const at::Tensor spans = BroadcastAlong(qparams.span, x, axis);
  return RoundWith(clamped * qparams.levels / spans, qparams.rounding) * spans / qparams.levels;
}

at::Tensor Forward(const at::Tensor& x, const QParams& qparams, int64_t axis) {
  if (!IsDenseCpuFloat(x)) return GenericForward(x, qparams, axis);
  if (qparams.rounding == Rounding::kHalfToEven && HasChannelsLast(x, axis)) {
    return QuantizeLastAxis(x, qparams);
  }
  at::Tensor y = at::empty_like(x);
  const std::vector<Grid> grids = GridsOf(qparams);
  const float* from = x.data_ptr<float>();
  float* to = y.data_ptr<float>();
  ForEachRun(ChannelLayout::Of(x, axis), [&](int64_t channel, int64_t begin, int64_t end) {
    FakeQuantizeForward(from + begin, to + begin, end - begin, grids[static_cast<size_t>(channel)],
                        qparams.rounding);
  });
  return y;
}

at::Tensor Backward(const at::Tensor& x, const at::Tensor& dy, const QParams& qparams,
                    int64_t axis) {
  if (!IsDenseCpuFloat(x)) {
    const at::Tensor inside = (x >= BroadcastAlong(qparams.low, x, axis))
                                  .logical_and(x <= BroadcastAlong(qparams.high, x, axis));
    return at::where(inside, dy, at::zeros({}, dy.options()));
  }
  if (HasChannelsLast(x, axis)) return MaskLastAxis(x, dy, qparams);
  at::Tensor dx = at::empty_like(x);
  const std::vector<Grid> grids = GridsOf(qparams);
  const float* inputs = x.data_ptr<float>();
  const float* from = dy.data_ptr<float>();
  float* to = dx.data_ptr<float>();
  ForEachRun(ChannelLayout::Of(x, axis), [&](int64_t channel, int64_t begin, int64_t end) {
    FakeQuantizeBackward(inputs + begin, from + begin, to + begin, end - begin,
                         grids[static_cast<size_t>(channel)]);
  });
  return dx;
}

at::Tensor SumOver(const at::Tensor& share, int64_t axis) {
  if (axis < 0) return share.sum();
  std::vector<int64_t> others(static_cast<size_t>(share.dim()));
  std::iota(others.begin(), others.end(), int64_t{0});
  others.erase(others.begin() + axis);
  return others.empty() ? share : share.sum(others);
}

// Adds up kernel(channel, begin, end) per channel of a dense x. Pieces are summed per chunk in
// parallel, then over chunks in order: the same result however many threads there are.
template <typename Kernel>
at::Tensor SumPerChannel(const at::Tensor& x, int64_t axis, const at::Tensor& like,
                         const Kernel& kernel) {
  const ChannelLayout layout = ChannelLayout::Of(x, axis);
  const int64_t chunks = (layout.numel + kDenseChunk - 1) / kDenseChunk;
  std::vector<std::vector<std::pair<int64_t, double>>> partial(static_cast<size_t>(chunks));
  ForEachRun(layout, [&](int64_t channel, int64_t begin, int64_t end) {
    partial[static_cast<size_t>(begin / kDenseChunk)].emplace_back(channel,
                                                                   kernel(channel, begin, end));
  });
  std::vector<double> sums(static_cast<size_t>(layout.count), 0.0);
  for (const auto& chunk : partial) {
    for (const auto& [channel, sum] : chunk) sums[static_cast<size_t>(channel)] += sum;
  }
  return at::tensor(sums, like.options().requires_grad(false)).view(like.sizes());
}

at::Tensor AlphaGradient(const at::Tensor& x, const at::Tensor& dy, const at::Tensor& alpha,
                         int64_t axis) {
  if (!IsDenseCpuFloat(x)) {
    const at::Tensor bound = BroadcastAlong(alpha, x, axis);
    return SumOver(dy * ((x > bound).to(dy.dtype()) - (x < -bound).to(dy.dtype())), axis);
  }
  const at::Tensor alphas = alpha.contiguous();
  const float* bounds = alphas.data_ptr<float>();
  const float* inputs = x.data_ptr<float>();
  const float* gradient = dy.data_ptr<float>();
  return SumPerChannel(x, axis, alpha, [&](int64_t channel, int64_t begin, int64_t end) {
    return PactAlphaGradient(inputs + begin, gradient + begin, end - begin, bounds[channel]);
  });
}

// Derivatives of clipped values by the step.
struct Slopes {
  double below = 0;
  double above = 0;
};

at::Tensor LearnedStepGradient(const at::Tensor& x, const at::Tensor& dy, const QParams& qparams,
                               const Slopes& slopes, int64_t axis) {
  if (!IsDenseCpuFloat(x)) {
    const at::Tensor v = x / BroadcastAlong(qparams.step, x, axis);
    const at::Tensor below = at::full({}, slopes.below, x.options());
    const at::Tensor above = at::full({}, slopes.above, x.options());
    const at::Tensor derivative = at::where(x < BroadcastAlong(qparams.low, x, axis), below,
                                            at::where(x > BroadcastAlong(qparams.high, x, axis),
                                                      above, RoundWith(v, qparams.rounding) - v));
    return SumOver(dy * derivative, axis);
  }
  if (qparams.rounding == Rounding::kHalfToEven && HasChannelsLast(x, axis)) {
    return StepGradientLastAxis(x, dy, qparams, slopes.below, slopes.above);
  }
  std::vector<Grid> grids = GridsOf(qparams);
  for (Grid& grid : grids) {
    grid.slope_below = static_cast<float>(slopes.below);
    grid.slope_above = static_cast<float>(slopes.above);
  }
  const float* inputs = x.data_ptr<float>();
  const float* gradient = dy.data_ptr<float>();
  return SumPerChannel(x, axis, qparams.step, [&](int64_t channel, int64_t begin, int64_t end) {
    return StepGradient(inputs + begin, gradient + begin, end - begin,
                        grids[static_cast<size_t>(channel)], qparams.rounding);
  });
}

at::Tensor LearnedOffsetGradient(const at::Tensor& x, const at::Tensor& dy,
                                 const QParams& qparams) {
  if (!IsDenseCpuFloat(x)) {
    const at::Tensor clipped = (x < qparams.low).logical_or(x > qparams.high);
    return at::where(clipped, dy, at::zeros({}, dy.options())).sum();
  }
  const Grid grid = GridsOf(qparams)[0];
  const float* inputs = x.data_ptr<float>();
  const float* gradient = dy.data_ptr<float>();
  return SumPerChannel(x, -1, qparams.step, [&](int64_t, int64_t begin, int64_t end) {
    return OffsetGradient(inputs + begin, gradient + begin, end - begin, grid);
  });
}

// What gets a gradient beside x: PACT's alpha, a learned step (and offset), or neither.
enum class Learned : int64_t { kNone = 0, kAlpha = 1, kStep = 2 };

// How the backward is to go.
struct Plan {
  int64_t axis = -1;
  Learned kind = Learned::kNone;
  InputGradient gradient = InputGradient::kMasked;
  double gradient_factor = 1;
  Slopes slopes;
};

// Where the saved tensors are.
enum Saved : size_t { kX = 0, kStep = 1, kLow = 2, kHigh = 3, kLearned = 4 };

at::Tensor InputGradientOf(const at::Tensor& x, const at::Tensor& dy, const QParams& qparams,
                           const at::Tensor& alpha, const Plan& plan) {
  if (plan.gradient == InputGradient::kMasked) return Backward(x, dy, qparams, plan.axis);
  if (plan.kind != Learned::kAlpha) return dy;
  QParams range = qparams;
  range.low = -alpha;
  range.high = alpha;
  return Backward(x, dy, range, plan.axis);
}

class FakeQuantizeFunction : public torch::autograd::Function<FakeQuantizeFunction> {
 public:
  // `learned` is alpha or the steps, by plan.kind.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const c10::optional<at::Tensor>& learned,
                            const c10::optional<at::Tensor>& offset, const QParams& qparams,
                            const Plan& plan) {
    context->save_for_backward(
        {x, qparams.step, qparams.low, qparams.high, learned.value_or(at::Tensor())});
    context->saved_data["axis"] = plan.axis;
    context->saved_data["kind"] = static_cast<int64_t>(plan.kind);
    context->saved_data["gradient"] = static_cast<int64_t>(plan.gradient);
    context->saved_data["gradient_factor"] = plan.gradient_factor;
    context->saved_data["slope_below"] = plan.slopes.below;
    context->saved_data["slope_above"] = plan.slopes.above;
    context->saved_data["rounding"] = static_cast<int64_t>(qparams.rounding);
    context->saved_data["has_offset"] = offset.has_value();
    return Forward(x, qparams, plan.axis);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Plan plan = PlanOf(*context);
    const at::Tensor& x = saved[kX];
    const QParams qparams = {
        .step = saved[kStep],
        .low = saved[kLow],
        .high = saved[kHigh],
        .rounding = static_cast<Rounding>(context->saved_data["rounding"].toInt())};
    at::Tensor dy = gradients[0];
    // The kernels walk x and dy side by side.
    if (IsDenseCpuFloat(x) && (dy.strides() != x.strides() || !IsDenseCpuFloat(dy))) {
      dy = at::empty_like(x).copy_(dy);
    }
    variable_list result(5);
    result[0] = InputGradientOf(x, dy, qparams, saved[kLearned], plan);
    if (plan.kind == Learned::kAlpha) {
      result[1] = AlphaGradient(x, dy, saved[kLearned], plan.axis);
    }
    if (plan.kind == Learned::kStep) {
      result[1] =
          LearnedStepGradient(x, dy, qparams, plan.slopes, plan.axis) * plan.gradient_factor;
      if (context->saved_data["has_offset"].toBool()) {
        result[2] = LearnedOffsetGradient(x, dy, qparams) * plan.gradient_factor;
      }
    }
    return result;
  }

 private:
  static Plan PlanOf(AutogradContext& context) {
    auto& data = context.saved_data;
    return {.axis = data["axis"].toInt(),
            .kind = static_cast<Learned>(data["kind"].toInt()),
            .gradient = static_cast<InputGradient>(data["gradient"].toInt()),
            .gradient_factor = data["gradient_factor"].toDouble(),
            .slopes = {.below = data["slope_below"].toDouble(),
                       .above = data["slope_above"].toDouble()}};
  }
};

bool WantsGradient(const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

c10::optional<at::Tensor> IfDefined(const at::Tensor& tensor) {
  return tensor.defined() ? c10::make_optional(tensor) : c10::nullopt;
}

at::Tensor Run(const at::Tensor& x, const at::Tensor& learned, const at::Tensor& offset,
               const QParams& qparams, const Plan& plan) {
  const bool wanted = WantsGradient(x) || WantsGradient(learned) || WantsGradient(offset);
  if (!at::GradMode::is_enabled() || !wanted) return Forward(x, qparams, plan.axis);
  return FakeQuantizeFunction::apply(x, IfDefined(learned), IfDefined(offset), qparams, plan);
}

}  // namespace

at::Tensor FakeQuantizeOn(const at::Tensor& x, const QParams& qparams, const at::Tensor& alpha,
                          int64_t axis, InputGradient gradient) {
  if (qparams.mapping == Mapping::kTanh) return FakeQuantizeTanh(x, qparams);
  return Run(x, alpha, {}, qparams,
             {.axis = axis,
              .kind = alpha.defined() ? Learned::kAlpha : Learned::kNone,
              .gradient = gradient});
}

at::Tensor FakeQuantize(const at::Tensor& x, const at::Tensor& thresholds, const at::Tensor& alpha,
                        const FakeQuantizeOptions& options) {
  // clamp_min copies: the caller's may be state that the next step changes before this step's
  // backward.
  return FakeQuantizeOn(x, QParamsOfThresholds(thresholds.detach().clamp_min(0), options.bits),
                        alpha, options.axis);
}

at::Tensor FakeQuantizeLearnedOn(const at::Tensor& x, const QParams& qparams,
                                 const LearnedGrid& learned, int64_t axis) {
  const int64_t zero = learned.offset.defined() ? 0 : qparams.zero_point;
  return Run(x, learned.steps, learned.offset, qparams,
             {.axis = axis,
              .kind = Learned::kStep,
              .gradient_factor = learned.gradient_factor,
              .slopes = {.below = static_cast<double>(qparams.qmin - zero),
                         .above = static_cast<double>(qparams.qmax - zero)}});
}

at::Tensor FakeQuantizeLearned(const at::Tensor& x, const at::Tensor& steps, double gradient_factor,
                               const FakeQuantizeOptions& options) {
  const QParams qparams = QParamsOfSteps(steps.detach().clamp_min(kSmallestStep), options.bits);
  return FakeQuantizeLearnedOn(x, qparams, {.steps = steps, .gradient_factor = gradient_factor},
                               options.axis);
}

at::Tensor PactThreshold(const at::Tensor& alpha, const at::Tensor& observed) {
  const at::NoGradGuard no_grad;
  return at::minimum(alpha, observed).clamp_min(0);
}

}  // namespace quantry::engine
