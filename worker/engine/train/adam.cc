#include "worker/engine/train/adam.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/engine/kernels/optimizer_step.h"
#include "worker/engine/train/plain_arrays.h"

namespace quantry::engine {

Adam::Adam(std::vector<ParameterGroup> groups, const OptimizerOptions& options)
    : Optimizer(std::move(groups)), options_(options) {
  for (const NamedTensor& parameter : Parameters()) {
    const at::Tensor like = parameter.tensor.detach();
    moments_.push_back(
        {.mean = {absl::StrCat(parameter.name, ".mean"), at::zeros_like(like)},
         .mean_square = {absl::StrCat(parameter.name, ".mean_square"), at::zeros_like(like)},
         .steps = {absl::StrCat(parameter.name, ".steps"), at::zeros({}, at::kLong)}});
  }
}

std::vector<NamedTensor> Adam::State() const {
  std::vector<NamedTensor> state;
  for (const Moments& moments : moments_) {
    state.insert(state.end(), {moments.mean, moments.mean_square, moments.steps});
  }
  return state;
}

void Adam::StepOne(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
                   double weight_decay) {
  Update(index, parameter, gradient, rate, {.in_gradient = weight_decay});
}

void Adam::Update(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
                  const Decay& decay) {
  Moments& moments = moments_[index];
  moments.steps.tensor.add_(1);
  const double steps = moments.steps.tensor.item<double>();
  const double step_rate = rate / (1.0 - std::pow(options_.beta1, steps));
  const double root_share = std::sqrt(1.0 - std::pow(options_.beta2, steps));
  const at::Tensor& mean = moments.mean.tensor;
  const at::Tensor& square = moments.mean_square.tensor;
  if (ArePlainArrays({parameter, gradient, mean, square})) {
    const AdamNumbers numbers = {.rate = static_cast<float>(step_rate),
                                 .root_share = static_cast<float>(root_share),
                                 .epsilon = static_cast<float>(options_.epsilon),
                                 .beta1 = static_cast<float>(options_.beta1),
                                 .beta2 = static_cast<float>(options_.beta2),
                                 .new_mean = static_cast<float>(1.0 - options_.beta1),
                                 .new_square = static_cast<float>(1.0 - options_.beta2),
                                 .weight_decay = static_cast<float>(decay.in_gradient),
                                 .kept = static_cast<float>(decay.kept)};
    float* values = parameter.data_ptr<float>();
    const float* slopes = gradient.data_ptr<float>();
    const AdamState state = {mean.data_ptr<float>(), square.data_ptr<float>()};
    ForEachPart(parameter.numel(), [&](int64_t begin, int64_t count) {
      AdamStep(values + begin, slopes + begin, {state.mean + begin, state.square + begin}, count,
               numbers);
    });
    return;
  }
  if (decay.kept != 1.0) parameter.mul_(decay.kept);
  if (decay.in_gradient != 0.0) gradient.add_(parameter, decay.in_gradient);
  mean.mul_(options_.beta1).add_(gradient, 1.0 - options_.beta1);
  square.mul_(options_.beta2).addcmul_(gradient, gradient, 1.0 - options_.beta2);
  const at::Tensor root = square.sqrt().div_(root_share).add_(options_.epsilon);
  parameter.addcdiv_(mean, root, -step_rate);
}

}  // namespace quantry::engine
