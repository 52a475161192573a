#include "worker/engine/quant/fake_quantize.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numeric>
#include <utility>
#include <vector>

#include "worker/engine/quant/cpu_kernels.h"
#include "worker/engine/quant/dense_runs.h"
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
  std::vector<Grid> grids(static_cast<size_t>(step.numel()));
  for (size_t i = 0; i < grids.size(); ++i) {
    grids[i] = {.low = low.data_ptr<float>()[i],
                .high = high.data_ptr<float>()[i],
                .step = step.data_ptr<float>()[i]};
  }
  return grids;
}

at::Tensor Forward(const at::Tensor& x, const QParams& qparams, int64_t axis) {
  if (!IsDenseCpuFloat(x)) {
    const at::Tensor steps = BroadcastAlong(qparams.step, x, axis);
    const at::Tensor clamped = at::minimum(at::maximum(x, BroadcastAlong(qparams.low, x, axis)),
                                           BroadcastAlong(qparams.high, x, axis));
    return at::round(clamped / steps) * steps;
  }
  at::Tensor y = at::empty_like(x);
  const std::vector<Grid> grids = GridsOf(qparams);
  const float* from = x.data_ptr<float>();
  float* to = y.data_ptr<float>();
  ForEachRun(ChannelLayout::Of(x, axis), [&](int64_t channel, int64_t begin, int64_t end) {
    FakeQuantizeForward(from + begin, to + begin, end - begin, grids[static_cast<size_t>(channel)]);
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

at::Tensor LearnedStepGradient(const at::Tensor& x, const at::Tensor& dy, const QParams& qparams,
                               int64_t axis) {
  if (!IsDenseCpuFloat(x)) {
    const at::Tensor steps = BroadcastAlong(qparams.step, x, axis);
    const at::Tensor low = BroadcastAlong(qparams.low, x, axis);
    const at::Tensor high = BroadcastAlong(qparams.high, x, axis);
    const at::Tensor v = x / steps;
    const at::Tensor derivative =
        at::where(x < low, low / steps, at::where(x > high, high / steps, at::round(v) - v));
    return SumOver(dy * derivative, axis);
  }
  const std::vector<Grid> grids = GridsOf(qparams);
  const float* inputs = x.data_ptr<float>();
  const float* gradient = dy.data_ptr<float>();
  return SumPerChannel(x, axis, qparams.step, [&](int64_t channel, int64_t begin, int64_t end) {
    return StepGradient(inputs + begin, gradient + begin, end - begin,
                        grids[static_cast<size_t>(channel)]);
  });
}

// What gets a gradient beside x: PACT's alpha, a learned step, or neither.
enum class Learned : int64_t { kNone = 0, kAlpha = 1, kStep = 2 };

class FakeQuantizeFunction : public torch::autograd::Function<FakeQuantizeFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const c10::optional<at::Tensor>& learned, const QParams& qparams,
                            int64_t axis, Learned kind, double gradient_factor) {
    context->save_for_backward(
        {x, qparams.step, qparams.low, qparams.high, learned.value_or(at::Tensor())});
    context->saved_data["axis"] = axis;
    context->saved_data["kind"] = static_cast<int64_t>(kind);
    context->saved_data["gradient_factor"] = gradient_factor;
    return Forward(x, qparams, axis);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const QParams qparams = {.step = saved[1], .low = saved[2], .high = saved[3]};
    const int64_t axis = context->saved_data["axis"].toInt();
    const auto kind = static_cast<Learned>(context->saved_data["kind"].toInt());
    at::Tensor dy = gradients[0];
    // The kernels walk x and dy side by side.
    if (IsDenseCpuFloat(x) && (dy.strides() != x.strides() || !IsDenseCpuFloat(dy))) {
      dy = at::empty_like(x).copy_(dy);
    }
    variable_list result(6);
    result[0] = Backward(x, dy, qparams, axis);
    if (kind == Learned::kAlpha) result[1] = AlphaGradient(x, dy, saved[4], axis);
    if (kind == Learned::kStep) {
      result[1] = LearnedStepGradient(x, dy, qparams, axis) *
                  context->saved_data["gradient_factor"].toDouble();
    }
    return result;
  }
};

bool WantsGradient(const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

at::Tensor Run(const at::Tensor& x, const at::Tensor& learned, const QParams& qparams, int64_t axis,
               Learned kind, double gradient_factor) {
  if (!at::GradMode::is_enabled() || !(WantsGradient(x) || WantsGradient(learned))) {
    return Forward(x, qparams, axis);
  }
  return FakeQuantizeFunction::apply(x,
                                     learned.defined() ? c10::make_optional(learned) : c10::nullopt,
                                     qparams, axis, kind, gradient_factor);
}

}  // namespace

at::Tensor FakeQuantize(const at::Tensor& x, const at::Tensor& thresholds, const at::Tensor& alpha,
                        const FakeQuantizeOptions& options) {
  // clamp_min copies: the caller's may be state that the next step changes before this step's
  // backward.
  return FakeQuantizeOn(x, QParamsOfThresholds(thresholds.detach().clamp_min(0), options.bits),
                        alpha, options.axis);
}

at::Tensor FakeQuantizeOn(const at::Tensor& x, const QParams& qparams, const at::Tensor& alpha,
                          int64_t axis) {
  return Run(x, alpha, qparams, axis, alpha.defined() ? Learned::kAlpha : Learned::kNone, 0);
}

at::Tensor FakeQuantizeLearned(const at::Tensor& x, const at::Tensor& steps, double gradient_factor,
                               const FakeQuantizeOptions& options) {
  const QParams qparams = QParamsOfSteps(steps.detach().clamp_min(kSmallestStep), options.bits);
  return Run(x, steps, qparams, options.axis, Learned::kStep, gradient_factor);
}

at::Tensor PactThreshold(const at::Tensor& alpha, const at::Tensor& observed) {
  const at::NoGradGuard no_grad;
  return at::minimum(alpha, observed).clamp_min(0);
}

}  // namespace quantry::engine
