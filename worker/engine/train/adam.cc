#include "worker/engine/train/adam.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

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
  if (weight_decay != 0.0) gradient.add_(parameter, weight_decay);
  Update(index, parameter, gradient, rate);
}

void Adam::Update(size_t index, at::Tensor parameter, const at::Tensor& gradient, double rate) {
  Moments& moments = moments_[index];
  moments.steps.tensor.add_(1);
  const double steps = moments.steps.tensor.item<double>();
  const double mean_share = 1.0 - std::pow(options_.beta1, steps);
  const double square_share = 1.0 - std::pow(options_.beta2, steps);
  const at::Tensor& mean =
      moments.mean.tensor.mul_(options_.beta1).add_(gradient, 1.0 - options_.beta1);
  const at::Tensor& square = moments.mean_square.tensor.mul_(options_.beta2)
                                 .addcmul_(gradient, gradient, 1.0 - options_.beta2);
  const at::Tensor root = square.sqrt().div_(std::sqrt(square_share)).add_(options_.epsilon);
  parameter.addcdiv_(mean, root, -rate / mean_share);
}

}  // namespace quantry::engine
