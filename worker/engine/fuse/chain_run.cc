#include "worker/engine/fuse/chain_run.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <limits>
#include <utility>

namespace quantry::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const float* DataOrNull(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<float>() : nullptr;
}

const float* At(const float* data, int64_t offset) {
  return data == nullptr ? nullptr : data + offset;
}

// Memory for what is made of x. Where all places are one (height and width 1) its layout has two
// names, and convolutions choose their kernel by the name: it gets the one that ATen's elementwise
// operators give, so that what follows rounds as it does behind them.
at::Tensor EmptyLike(const at::Tensor& x) {
  return x.is_contiguous() ? at::empty(x.sizes(), x.options().requires_grad(false))
                           : at::empty_like(x);
}

at::Tensor Forward(const at::Tensor& x, const at::Tensor& r, const ChainRun& run) {
  at::Tensor y = EmptyLike(x);
  const float* from = x.data_ptr<float>();
  const float* operand = DataOrNull(r);
  float* to = y.data_ptr<float>();
  ForEachPiece(run.shape, [&](int64_t, int64_t first, int64_t rows) {
    const int64_t offset = first * run.shape.channels;
    ChainForward(from + offset, At(operand, offset), to + offset, rows, run.chain);
  });
  return y;
}

// What of `chain` lies before the operand is added.
ElementwiseChain BeforeOperand(const ElementwiseChain& chain) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ElementwiseChain before = chain;
  before.activation = ChainActivation::kNone;
  before.has_outer = false;
  before.low = before.gradient_low = -kInfinity;
  before.high = before.gradient_high = kInfinity;
  return before;
}

// What is taken from the gradient of t, per channel. With the batch's own statistics, n rows, xhat
// = (x - mean) * s and g the gradient of t:
//   dx = gamma * s * (g - mean(g) - xhat * mean(g * xhat))   (Ioffe & Szegedy, 2015).
struct InputLine {
  std::vector<float> offset, slope;  // periodic; empty where nothing is
};

InputLine LineOf(const ChainRun& run, const GradientSums& sums) {
  if (!run.batch_statistics) return {};
  const auto channels = static_cast<size_t>(run.shape.channels);
  std::vector<float> offset(channels), slope(channels);
  const double n = static_cast<double>(run.shape.rows);
  for (size_t c = 0; c < channels; ++c) {
    const double s = run.inverse_deviation[c];
    const double slant = s * s * sums.moment[c] / n;
    offset[c] = static_cast<float>(sums.gradient[c] / n + slant * run.mean_rest[c]);
    slope[c] = static_cast<float>(slant);
  }
  return {.offset = Periodic(offset), .slope = Periodic(slope)};
}

at::Tensor InputGradientOf(const at::Tensor& x, const at::Tensor& r, const at::Tensor& dy,
                           const ChainRun& run, const ElementwiseChain& chain,
                           const InputLine& line) {
  at::Tensor dx = at::empty_like(x);
  const float* inputs = x.data_ptr<float>();
  const float* operand = DataOrNull(r);
  const float* from = dy.data_ptr<float>();
  float* to = dx.data_ptr<float>();
  ChainInputGradient input;
  if (!line.slope.empty()) input = {.offset = line.offset.data(), .slope = line.slope.data()};
  ForEachPiece(run.shape, [&](int64_t, int64_t first, int64_t rows) {
    const int64_t offset = first * run.shape.channels;
    ChainBackwardInput(inputs + offset, At(operand, offset), from + offset, to + offset, rows,
                       chain, input);
  });
  return dx;
}

at::Tensor AsTensor(const std::vector<double>& values) { return at::tensor(values, at::kFloat); }

// Of x, r, gamma, beta.
struct Gradients {
  at::Tensor x, r, gamma, beta;
};

Gradients Backward(const at::Tensor& x, const at::Tensor& r, const at::Tensor& dy,
                   const ChainRun& run) {
  const bool norm = !run.inverse_deviation.empty();
  Gradients gradients;
  if (!norm && !(r.defined() && run.chain.has_inner)) {
    gradients.x = InputGradientOf(x, r, dy, run, run.chain, {});
    if (r.defined()) gradients.r = gradients.x;
    return gradients;
  }
  if (r.defined()) gradients.r = at::empty_like(x);
  GradientSums sums =
      BackwardSumsOf(x.data_ptr<float>(), DataOrNull(r), dy.data_ptr<float>(),
                     r.defined() ? gradients.r.data_ptr<float>() : nullptr, run.shape, run.chain);
  for (size_t c = 0; c < run.mean_rest.size(); ++c) {
    sums.moment[c] += run.mean_rest[c] * sums.gradient[c];
  }
  const InputLine line = LineOf(run, sums);
  gradients.x = r.defined()
                    ? InputGradientOf(x, {}, gradients.r, run, BeforeOperand(run.chain), line)
                    : InputGradientOf(x, {}, dy, run, run.chain, line);
  if (!norm) return gradients;
  std::vector<double> of_gamma = sums.moment;
  for (size_t c = 0; c < of_gamma.size(); ++c) of_gamma[c] *= run.inverse_deviation[c];
  gradients.gamma = AsTensor(of_gamma);
  gradients.beta = AsTensor(sums.gradient);
  return gradients;
}

class ChainFunction : public torch::autograd::Function<ChainFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const c10::optional<at::Tensor>& r,
                            const c10::optional<at::Tensor>& gamma,
                            const c10::optional<at::Tensor>& beta,
                            const c10::intrusive_ptr<ChainRun>& run) {
    // These get gradients; their values are in the run.
    (void)gamma;
    (void)beta;
    context->save_for_backward({x, r.value_or(at::Tensor())});
    context->saved_data["run"] = c10::IValue::make_capsule(
        c10::static_intrusive_pointer_cast<torch::CustomClassHolder>(run));
    return Forward(x, r.value_or(at::Tensor()), *run);
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const variable_list saved = context->get_saved_variables();
    const auto run =
        c10::static_intrusive_pointer_cast<ChainRun>(context->saved_data["run"].toCapsule());
    const at::Tensor& x = saved[0];
    at::Tensor dy = outputs[0];
    // The kernels walk x and dy side by side.
    if (dy.strides() != x.strides() || dy.scalar_type() != at::kFloat) {
      dy = at::empty_like(x).copy_(dy);
    }
    const Gradients gradients = Backward(x, saved[1], dy, *run);
    return {gradients.x, gradients.r, gradients.gamma, gradients.beta, at::Tensor()};
  }
};

bool WantsGradient(const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

c10::optional<at::Tensor> IfDefined(const at::Tensor& tensor) {
  return tensor.defined() ? c10::make_optional(tensor) : c10::nullopt;
}

}  // namespace

at::Tensor RunChain(const at::Tensor& x, const at::Tensor& r, const at::Tensor& gamma,
                    const at::Tensor& beta, const c10::intrusive_ptr<ChainRun>& run) {
  const bool wanted =
      WantsGradient(x) || WantsGradient(r) || WantsGradient(gamma) || WantsGradient(beta);
  if (!at::GradMode::is_enabled() || !wanted) return Forward(x, r, *run);
  return ChainFunction::apply(x, IfDefined(r), IfDefined(gamma), IfDefined(beta), run);
}

}  // namespace quantry::engine
