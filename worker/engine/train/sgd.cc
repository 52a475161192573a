#include "worker/engine/train/sgd.h"

#include <ATen/ATen.h>

#include <utility>

namespace quantry::engine {

Sgd::Sgd(std::vector<ParameterGroup> groups, double momentum)
    : groups_(std::move(groups)), momentum_(momentum) {
  for (const ParameterGroup& group : groups_) {
    std::vector<at::Tensor>& momenta = momenta_.emplace_back();
    for (const NamedTensor& parameter : group.parameters) {
      momenta.push_back(at::zeros_like(parameter.tensor.detach()));
    }
  }
}

void Sgd::Step(double learning_rate) {
  const at::NoGradGuard no_grad;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const ParameterGroup& group = groups_[g];
    const double rate = learning_rate * group.learning_rate_factor;
    for (size_t i = 0; i < group.parameters.size(); ++i) {
      at::Tensor parameter = group.parameters[i].tensor;
      at::Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      if (group.weight_decay != 0.0) gradient.add_(parameter, group.weight_decay);
      parameter.add_(momenta_[g][i].mul_(momentum_).add_(gradient), -rate);
    }
  }
}

void Sgd::ZeroGradients() {
  for (ParameterGroup& group : groups_) {
    for (NamedTensor& parameter : group.parameters) parameter.tensor.mutable_grad().reset();
  }
}

std::vector<NamedTensor> Sgd::Parameters() const {
  std::vector<NamedTensor> all;
  for (const ParameterGroup& group : groups_) {
    all.insert(all.end(), group.parameters.begin(), group.parameters.end());
  }
  return all;
}

std::vector<NamedTensor> Sgd::Momenta() const {
  std::vector<NamedTensor> all;
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (size_t i = 0; i < momenta_[g].size(); ++i) {
      all.push_back({groups_[g].parameters[i].name, momenta_[g][i]});
    }
  }
  return all;
}

double ClipGradientNorm(absl::Span<const NamedTensor> parameters, double max_norm) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> norms;
  for (const NamedTensor& parameter : parameters) {
    if (parameter.tensor.grad().defined()) norms.push_back(parameter.tensor.grad().norm());
  }
  if (norms.empty()) return 0.0;
  const double norm = at::stack(norms).norm().item<double>();
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1.0) return norm;
  for (const NamedTensor& parameter : parameters) {
    at::Tensor gradient = parameter.tensor.grad();
    if (gradient.defined()) gradient.mul_(factor);
  }
  return norm;
}

}  // namespace quantry::engine
