#include "worker/engine/fuse/chain_run.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "worker/engine/fuse/chain_learning.h"

namespace quantry::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Memory for what is made of x. Where all places are one (height and width 1) its layout has two
// names, and convolutions choose their kernel by the name: it gets the one that ATen's elementwise
// operators give, so that what follows rounds as it does behind them.
at::Tensor EmptyLike(const at::Tensor& x, at::ScalarType type) {
  const at::TensorOptions options = x.options().requires_grad(false).dtype(type);
  return x.is_contiguous() ? at::empty(x.sizes(), options) : at::empty_like(x, options);
}

// What of `chain` lies before the operand is added.
ElementwiseChain BeforeOperand(const ElementwiseChain& chain) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ElementwiseChain before = chain;
  before.activation = ChainActivation::kClamp;
  before.has_outer = false;
  before.gives_integers = false;
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

// Writes the gradient of x to `dx`. Calls `also`, where it is not null, with each piece.
void WriteInputGradient(const at::Tensor& x, const at::Tensor& r, const at::Tensor& dy,
                        const ChainRun& run, const ElementwiseChain& chain, const InputLine& line,
                        const at::Tensor& dx, const PieceFunction& also = nullptr) {
  const ConstElements inputs = ElementsOf(x);
  const ConstElements operand = ElementsOf(r);
  const ConstElements from = ElementsOf(dy);
  const Elements to = MutableElementsOf(dx);
  ChainInputGradient input = {.scale = run.input_scale.data()};
  if (!line.slope.empty()) {
    input.offset = line.offset.data();
    input.slope = line.slope.data();
  }
  ForEachPiece(run.shape, [&](int64_t piece, int64_t first, int64_t rows) {
    const int64_t offset = first * run.shape.channels;
    ChainBackwardInput(From(inputs, offset), From(operand, offset), From(from, offset),
                       From(to, offset), rows, chain, input);
    if (also) also(piece, first, rows);
  });
}

at::Tensor AsTensor(const std::vector<double>& values) { return at::tensor(values, at::kFloat); }

// ChainGradientsOf where IsLinear.
ChainGradients LinearGradients(const at::Tensor& dy, const ChainRun& run, const at::Tensor& dx) {
  ChainGradients gradients = {.x = dx};
  if (run.has_operand) gradients.r = dy;
  if (!run.has_affine) {
    dx.copy_(dy);
    return gradients;
  }
  std::vector<int64_t> sizes(static_cast<size_t>(dy.dim()), 1), others;
  sizes[static_cast<size_t>(run.channel_axis)] = run.shape.channels;
  for (int64_t i = 0; i < dy.dim(); ++i) {
    if (i != run.channel_axis) others.push_back(i);
  }
  const at::Tensor scale = at::tensor(
      at::ArrayRef<float>(run.input_scale.data(), static_cast<size_t>(run.shape.channels)));
  dx.copy_(dy * scale.view(sizes));
  const at::Tensor sums = dy.sum(others, /*keepdim=*/false, at::kFloat);
  gradients.shift = sums;
  gradients.affine = AsDoubles(sums);
  return gradients;
}

class ChainFunction : public torch::autograd::Function<ChainFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const c10::optional<at::Tensor>& r,
                            const c10::optional<at::Tensor>& scale,
                            const c10::optional<at::Tensor>& shift, at::TensorList learners,
                            const c10::intrusive_ptr<ChainRun>& run) {
    // These get gradients; their values are in the run.
    (void)scale;
    (void)learners;
    context->saved_data["shift"] = shift.has_value();
    if (IsLinear(*run)) {
      context->save_for_backward({at::Tensor(), at::Tensor()});
    } else {
      context->save_for_backward({x, r.value_or(at::Tensor())});
    }
    context->saved_data["run"] = AsCapsule(run);
    return ChainResult(x, r.value_or(at::Tensor()), *run);
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const variable_list saved = context->get_saved_variables();
    const auto run = FromCapsule<ChainRun>(context->saved_data["run"]);
    const at::Tensor& like = saved[0].defined() ? saved[0] : outputs[0];
    const ChainGradients gradients =
        ChainGradientsOf(saved[0], saved[1], outputs[0], *run, at::empty_like(like, at::kFloat));
    variable_list all = {gradients.x, gradients.r, gradients.scale, at::Tensor()};
    if (context->saved_data["shift"].toBool()) all.back() = gradients.shift;
    const std::vector<at::Tensor> learned = LearnersGradients(gradients);
    all.insert(all.end(), learned.begin(), learned.end());
    all.emplace_back();
    return all;
  }
};

}  // namespace

bool IsLinear(const ChainRun& run) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const ElementwiseChain& chain = run.chain;
  return !chain.has_inner && !chain.has_outer && run.inverse_deviation.empty() &&
         chain.activation == ChainActivation::kClamp && chain.low == -kInfinity &&
         chain.high == kInfinity;
}

at::Tensor ChainResult(const at::Tensor& x, const at::Tensor& r, const ChainRun& run) {
  at::Tensor y = EmptyLike(x, run.chain.gives_integers ? at::kBFloat16 : at::kFloat);
  ChainResultTo(x, r, run, y);
  return y;
}

void ChainResultTo(const at::Tensor& x, const at::Tensor& r, const ChainRun& run,
                   const at::Tensor& y) {
  const ConstElements from = ElementsOf(x);
  const ConstElements operand = ElementsOf(r);
  const Elements to = MutableElementsOf(y);
  ForEachPiece(run.shape, [&](int64_t, int64_t first, int64_t rows) {
    const int64_t offset = first * run.shape.channels;
    ChainForward(From(from, offset), From(operand, offset), From(to, offset), rows, run.chain);
  });
}

ChainGradients ChainGradientsOf(const at::Tensor& x, const at::Tensor& r, const at::Tensor& given,
                                const ChainRun& run, const at::Tensor& dx) {
  if (IsLinear(run)) return LinearGradients(given, run, dx);
  // The kernels walk x and dy side by side.
  at::Tensor dy = given;
  const bool known = dy.scalar_type() == at::kFloat || dy.scalar_type() == at::kBFloat16;
  if (dy.strides() != x.strides() || !known) dy = at::empty_like(x).copy_(dy);
  ChainGradients gradients = {.x = dx};
  ChainLearning learning(run, ElementsOf(x), ElementsOf(r), ElementsOf(dy));
  if (!run.has_affine && !(r.defined() && run.chain.has_inner)) {
    WriteInputGradient(x, r, dy, run, run.chain, {}, gradients.x, learning.ForPieces());
    if (r.defined()) gradients.r = gradients.x;
    gradients.inner = learning.Inner();
    gradients.outer = learning.Outer();
    return gradients;
  }
  if (r.defined()) gradients.r = at::empty_like(x, x.options().dtype(r.scalar_type()));
  GradientSums sums =
      BackwardSumsOf(ElementsOf(x), ElementsOf(r), ElementsOf(dy), MutableElementsOf(gradients.r),
                     run.shape, run.chain, learning.ForPieces());
  gradients.inner = learning.Inner();
  gradients.outer = learning.Outer();
  for (size_t c = 0; c < run.mean_rest.size(); ++c) {
    sums.moment[c] += run.mean_rest[c] * sums.gradient[c];
  }
  const InputLine line = LineOf(run, sums);
  if (r.defined()) {
    WriteInputGradient(x, {}, gradients.r, run, BeforeOperand(run.chain), line, gradients.x);
  } else {
    WriteInputGradient(x, {}, dy, run, run.chain, line, gradients.x);
  }
  if (!run.inverse_deviation.empty()) {
    std::vector<double> of_gamma = sums.moment;
    for (size_t c = 0; c < of_gamma.size(); ++c) of_gamma[c] *= run.inverse_deviation[c];
    gradients.scale = AsTensor(of_gamma);
  }
  gradients.shift = AsTensor(sums.gradient);
  gradients.affine = std::move(sums.gradient);
  return gradients;
}

std::vector<at::Tensor> LearnersOf(const ChainRun& run) {
  std::vector<at::Tensor> learners;
  for (const GridLearning* learning : {&run.inner_learning, &run.outer_learning}) {
    for (const at::Tensor& tensor : {learning->parameter, learning->offset}) {
      if (tensor.defined()) learners.push_back(tensor);
    }
  }
  return learners;
}

std::vector<at::Tensor> LearnersGradients(const ChainGradients& gradients) {
  std::vector<at::Tensor> defined;
  for (const LearnedGradients* learned : {&gradients.inner, &gradients.outer}) {
    for (const at::Tensor& tensor : {learned->parameter, learned->offset}) {
      if (tensor.defined()) defined.push_back(tensor);
    }
  }
  return defined;
}

std::vector<double> AsDoubles(const at::Tensor& tensor) {
  const at::Tensor doubles = tensor.detach().to(at::kDouble).contiguous();
  const double* values = doubles.data_ptr<double>();
  return {values, values + doubles.numel()};
}

bool WantsGradient(const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

bool AnyWantsGradient(at::TensorList tensors) {
  return at::GradMode::is_enabled() && std::any_of(tensors.begin(), tensors.end(), WantsGradient);
}

c10::optional<at::Tensor> IfDefined(const at::Tensor& tensor) {
  return tensor.defined() ? c10::make_optional(tensor) : c10::nullopt;
}

RunValue RunChain(const ChainTensors& tensors, const c10::intrusive_ptr<ChainRun>& run) {
  const auto& [x, r, scale, shift] = tensors;
  const std::vector<at::Tensor> learners = LearnersOf(*run);
  const bool wanted = AnyWantsGradient({x, r, scale, shift}) || AnyWantsGradient(learners);
  const at::Tensor y = wanted
                           ? ChainFunction::apply(x, IfDefined(r), IfDefined(scale),
                                                  IfDefined(shift), at::TensorList(learners), run)
                           : ChainResult(x, r, *run);
  return {.tensor = y, .step = run->chain.gives_integers ? run->chain.outer.step : 0};
}

}  // namespace quantry::engine
