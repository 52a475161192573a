#include "worker/engine/fuse/layer_run.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace quantry::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Per output channel, to go with weights of so many dimensions.
at::Tensor PerChannel(const std::vector<double>& values, int64_t dimensions) {
  std::vector<int64_t> sizes(static_cast<size_t>(dimensions), 1);
  sizes[0] = -1;
  return at::tensor(values, at::kFloat).view(sizes);
}

at::Tensor Bytes(size_t count) { return at::empty({static_cast<int64_t>(count)}, at::kByte); }

class LayerFunction : public torch::autograd::Function<LayerFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const c10::optional<at::Tensor>& bias,
                            const c10::optional<at::Tensor>& r,
                            const c10::optional<at::Tensor>& gamma,
                            const c10::optional<at::Tensor>& beta, at::TensorList learners,
                            const at::Tensor& sums, const c10::intrusive_ptr<LayerRun>& run) {
    // These get gradients; their values are in the run.
    (void)weight;
    (void)gamma;
    (void)beta;
    (void)learners;
    const bool linear = IsLinear(*run->chain);
    context->save_for_backward(
        {x, linear ? at::Tensor() : r.value_or(at::Tensor()), linear ? at::Tensor() : sums});
    context->saved_data["run"] = AsCapsule(run);
    context->saved_data["bias"] = bias.has_value();
    return ChainResult(sums, r.value_or(at::Tensor()), *run->chain);
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const variable_list saved = context->get_saved_variables();
    const auto run = FromCapsule<LayerRun>(context->saved_data["run"]);
    const at::Tensor& x = saved[0];
    const at::Tensor& sums = saved[2];
    const at::Tensor of_sums =
        at::empty(outputs[0].sizes(), x.options().dtype(at::kBFloat16).requires_grad(false),
                  x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    const ChainGradients chain = ChainGradientsOf(sums, saved[1], outputs[0], *run->chain, of_sums);
    at::Tensor of_bias;
    if (context->saved_data["bias"].toBool()) of_bias = run->BiasGradient(chain.affine);
    at::Tensor of_x;
    if (run->wants_input()) of_x = run->InputGradient(chain.x, x);
    variable_list all = {of_x, run->WeightGradient(chain.x, x), of_bias, chain.r, chain.scale};
    all.push_back(chain.scale.defined() ? chain.shift : at::Tensor());
    const std::vector<at::Tensor> learned = LearnersGradients(chain);
    all.insert(all.end(), learned.begin(), learned.end());
    all.resize(all.size() + 2);
    return all;
  }
};

}  // namespace

LayerRun::LayerRun(const ConvolutionShape& shape, float input_step,
                   std::vector<double> weight_steps)
    : shape_(shape),
      convolution_(Bf16Convolution::Of(shape)),
      input_step_(static_cast<double>(input_step)),
      weight_steps_(std::move(weight_steps)) {}

at::Tensor LayerRun::Convolve(const at::Tensor& x, const at::Tensor& weight) {
  const bool wants_gradients = at::GradMode::is_enabled();
  wants_input_ = wants_gradients && x.requires_grad();
  const at::NoGradGuard no_grad;
  const at::Tensor integers = at::empty(weight.sizes(), at::kBFloat16);
  const int64_t row = weight.numel() / shape_.out_channels;
  const float* values = weight.data_ptr<float>();
  const Elements counts = MutableElementsOf(integers);
  at::parallel_for(0, shape_.out_channels, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const auto step = static_cast<float>(weight_steps_[static_cast<size_t>(c)]);
      CountSteps(values + c * row, step, From(counts, c * row), row);
    }
  });
  const at::Tensor packed = Bytes(convolution_->ForwardWeightBytes());
  convolution_->PackForward(integers.data_ptr(), packed.data_ptr());
  if (wants_input_) {
    backward_weights_ = Bytes(convolution_->BackwardWeightBytes());
    convolution_->PackBackward(integers.data_ptr(), backward_weights_.data_ptr());
  }
  const auto [height, width] = shape_.Result();
  const std::vector<int64_t> sizes = {shape_.batch, shape_.out_channels, height, width};
  at::Tensor sums = x.dim() == 2 ? at::empty({x.size(0), shape_.out_channels}, at::kFloat)
                                 : at::empty(sizes, at::kFloat, at::MemoryFormat::ChannelsLast);
  convolution_->Forward(x.data_ptr(), packed.data_ptr(), sums.data_ptr<float>());
  return sums;
}

std::vector<double> LayerRun::factor() const {
  std::vector<double> factor = weight_steps_;
  for (double& value : factor) value *= input_step_;
  return factor;
}

at::Tensor LayerRun::InputGradient(const at::Tensor& h, const at::Tensor& x) const {
  at::Tensor gradient = at::empty_like(x);
  convolution_->BackwardInput(h.data_ptr(), backward_weights_.data_ptr(), gradient.data_ptr());
  return gradient;
}

at::Tensor LayerRun::WeightGradient(const at::Tensor& h, const at::Tensor& x) const {
  std::vector<int64_t> sizes = {shape_.out_channels, shape_.in_channels / shape_.groups,
                                shape_.kernel[0], shape_.kernel[1]};
  sizes.resize(static_cast<size_t>(x.dim()));
  at::Tensor gradient = at::empty(sizes, at::kFloat);
  convolution_->BackwardWeights(x.data_ptr(), h.data_ptr(), gradient.data_ptr<float>());
  std::vector<double> factor = weight_steps_;
  for (double& value : factor) value = input_step_ / value;
  return gradient.mul_(PerChannel(factor, x.dim()));
}

at::Tensor LayerRun::BiasGradient(const std::vector<double>& of_affine) const {
  const bool norm = !chain->inverse_deviation.empty();
  const at::Tensor sums = at::tensor(of_affine, at::kFloat);
  if (!norm) return sums;
  // The batch's own mean takes away whatever a bias adds.
  if (chain->batch_statistics) return at::zeros_like(sums);
  std::vector<double> slope = factor();
  for (size_t c = 0; c < slope.size(); ++c) {
    slope[c] = static_cast<double>(chain->scale[c]) / slope[c];
  }
  return sums * at::tensor(slope, at::kFloat);
}

RunValue RunLayer(const LayerTensors& tensors, const at::Tensor& sums,
                  const c10::intrusive_ptr<LayerRun>& run) {
  const ChainRun& chain = *run->chain;
  const std::vector<at::Tensor> learners = LearnersOf(chain);
  const bool wanted = AnyWantsGradient({tensors.x, tensors.weight, tensors.bias, tensors.r,
                                        tensors.gamma, tensors.beta}) ||
                      AnyWantsGradient(learners);
  const at::Tensor y =
      wanted ? LayerFunction::apply(tensors.x, tensors.weight, IfDefined(tensors.bias),
                                    IfDefined(tensors.r), IfDefined(tensors.gamma),
                                    IfDefined(tensors.beta), at::TensorList(learners), sums, run)
             : ChainResult(sums, tensors.r, chain);
  return {.tensor = y, .step = chain.chain.gives_integers ? chain.chain.outer.step : 0};
}

}  // namespace quantry::engine
