#include "worker/engine/train/sgd.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace quantry::engine {

Sgd::Sgd(std::vector<ParameterGroup> groups, const OptimizerOptions& options)
    : Optimizer(std::move(groups)), momentum_(options.momentum) {
  for (const NamedTensor& parameter : Parameters()) {
    momenta_.push_back(
        {absl::StrCat(parameter.name, ".momentum"), at::zeros_like(parameter.tensor.detach())});
  }
}

std::vector<NamedTensor> Sgd::State() const { return momenta_; }

void Sgd::StepOne(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
                  double weight_decay) {
  if (weight_decay != 0.0) gradient.add_(parameter, weight_decay);
  parameter.add_(momenta_[index].tensor.mul_(momentum_).add_(gradient), -rate);
}

}  // namespace quantry::engine
