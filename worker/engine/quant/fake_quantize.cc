#include "worker/engine/quant/fake_quantize.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numeric>
#include <vector>

#include "worker/engine/quant/cpu_kernels.h"
#include "worker/engine/quant/dense_runs.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor Forward(const at::Tensor& x, const at::Tensor& s, const FakeQuantizeOptions& options) {
  if (!IsDenseCpuFloat(x)) {
    const at::Tensor steps = BroadcastAlong(StepSizes(s, options.bits), x, options.axis);
    const at::Tensor bound = BroadcastAlong(s, x, options.axis);
    return at::round(at::minimum(at::maximum(x, -bound), bound) / steps) * steps;
  }
  at::Tensor y = at::empty_like(x);
  const at::Tensor thresholds = s.contiguous();
  const float* bounds = thresholds.data_ptr<float>();
  const float* from = x.data_ptr<float>();
  float* to = y.data_ptr<float>();
  ForEachRun(ChannelLayout::Of(x, options.axis), [&](int64_t channel, int64_t begin, int64_t end) {
    FakeQuantizeForward(from + begin, to + begin, end - begin, bounds[channel],
                        StepSize(bounds[channel], options.bits));
  });
  return y;
}

at::Tensor Backward(const at::Tensor& x, const at::Tensor& dy, const at::Tensor& s,
                    const FakeQuantizeOptions& options) {
  if (!IsDenseCpuFloat(x)) {
    return at::where(x.abs() <= BroadcastAlong(s, x, options.axis), dy,
                     at::zeros({}, dy.options()));
  }
  at::Tensor dx = at::empty_like(x);
  const at::Tensor thresholds = s.contiguous();
  const float* bounds = thresholds.data_ptr<float>();
  const float* inputs = x.data_ptr<float>();
  const float* from = dy.data_ptr<float>();
  float* to = dx.data_ptr<float>();
  ForEachRun(ChannelLayout::Of(x, options.axis), [&](int64_t channel, int64_t begin, int64_t end) {
    FakeQuantizeBackward(inputs + begin, from + begin, to + begin, end - begin, bounds[channel]);
  });
  return dx;
}

at::Tensor GenericAlphaGradient(const at::Tensor& x, const at::Tensor& dy, const at::Tensor& alpha,
                                int64_t axis) {
  const at::Tensor bound = BroadcastAlong(alpha, x, axis);
  const at::Tensor share = dy * ((x > bound).to(dy.dtype()) - (x < -bound).to(dy.dtype()));
  if (axis < 0) return share.sum();
  std::vector<int64_t> others(static_cast<size_t>(x.dim()));
  std::iota(others.begin(), others.end(), int64_t{0});
  others.erase(others.begin() + axis);
  return others.empty() ? share : share.sum(others);
}

at::Tensor AlphaGradient(const at::Tensor& x, const at::Tensor& dy, const at::Tensor& alpha,
                         int64_t axis) {
  if (!IsDenseCpuFloat(x)) return GenericAlphaGradient(x, dy, alpha, axis);
  const ChannelLayout layout = ChannelLayout::Of(x, axis);
  const at::Tensor alphas = alpha.contiguous();
  const float* bounds = alphas.data_ptr<float>();
  const float* inputs = x.data_ptr<float>();
  const float* gradient = dy.data_ptr<float>();
  // Pieces are summed per chunk in parallel, then over chunks in order: the same result however
  // many threads there are.
  const int64_t chunks = (layout.numel + kDenseChunk - 1) / kDenseChunk;
  std::vector<std::vector<std::pair<int64_t, double>>> partial(static_cast<size_t>(chunks));
  ForEachRun(layout, [&](int64_t channel, int64_t begin, int64_t end) {
    partial[static_cast<size_t>(begin / kDenseChunk)].emplace_back(
        channel, PactAlphaGradient(inputs + begin, gradient + begin, end - begin, bounds[channel]));
  });
  std::vector<double> sums(static_cast<size_t>(layout.count), 0.0);
  for (const auto& chunk : partial) {
    for (const auto& [channel, sum] : chunk) sums[static_cast<size_t>(channel)] += sum;
  }
  return at::tensor(sums, alpha.options().requires_grad(false)).view(alpha.sizes());
}

class FakeQuantizeFunction : public torch::autograd::Function<FakeQuantizeFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& s,
                            const c10::optional<at::Tensor>& alpha, int64_t bits, int64_t axis) {
    context->save_for_backward({x, s, alpha.value_or(at::Tensor())});
    context->saved_data["bits"] = bits;
    context->saved_data["axis"] = axis;
    return Forward(x, s, {.bits = static_cast<int>(bits), .axis = axis});
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& alpha = saved[2];
    const FakeQuantizeOptions options = {
        .bits = static_cast<int>(context->saved_data["bits"].toInt()),
        .axis = context->saved_data["axis"].toInt()};
    at::Tensor dy = gradients[0];
    // The kernels walk x and dy side by side.
    if (IsDenseCpuFloat(x) && (dy.strides() != x.strides() || !IsDenseCpuFloat(dy))) {
      dy = at::empty_like(x).copy_(dy);
    }
    variable_list result(5);
    result[0] = Backward(x, dy, saved[1], options);
    if (alpha.defined()) result[2] = AlphaGradient(x, dy, alpha, options.axis);
    return result;
  }
};

}  // namespace

at::Tensor FakeQuantize(const at::Tensor& x, const at::Tensor& thresholds, const at::Tensor& alpha,
                        const FakeQuantizeOptions& options) {
  // A copy: the caller's may be state that the next step changes before this step's backward.
  const at::Tensor s = thresholds.detach().clamp_min(0);
  const bool wants_gradient = at::GradMode::is_enabled() &&
                              (x.requires_grad() || (alpha.defined() && alpha.requires_grad()));
  if (!wants_gradient) return Forward(x, s, options);
  return FakeQuantizeFunction::apply(x, s,
                                     alpha.defined() ? c10::make_optional(alpha) : c10::nullopt,
                                     static_cast<int64_t>(options.bits), options.axis);
}

at::Tensor PactThreshold(const at::Tensor& alpha, const at::Tensor& observed) {
  const at::NoGradGuard no_grad;
  return at::minimum(alpha, observed).clamp_min(0);
}

}  // namespace quantry::engine
