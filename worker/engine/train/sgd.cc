#include "worker/engine/train/sgd.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/engine/kernels/optimizer_step.h"
#include "worker/engine/train/plain_arrays.h"

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
  const at::Tensor& momentum = momenta_[index].tensor;
  if (ArePlainArrays({parameter, gradient, momentum})) {
    const SgdNumbers numbers = {.rate = static_cast<float>(rate),
                                .momentum = static_cast<float>(momentum_),
                                .weight_decay = static_cast<float>(weight_decay)};
    float* values = parameter.data_ptr<float>();
    const float* slopes = gradient.data_ptr<float>();
    float* kept = momentum.data_ptr<float>();
    ForEachPart(parameter.numel(), [&](int64_t begin, int64_t count) {
      SgdStep(values + begin, slopes + begin, kept + begin, count, numbers);
    });
    return;
  }
  if (weight_decay != 0.0) gradient.add_(parameter, weight_decay);
  parameter.add_(momentum.mul_(momentum_).add_(gradient), -rate);
}

}  // namespace quantry::engine
