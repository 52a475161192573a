#include "worker/engine/train/mixup.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

namespace quantry::engine {

Mixup Mixup::Draw(int64_t examples, double alpha, uint64_t seed) {
  const at::NoGradGuard no_grad;
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  // Beta from two gammas. With a tiny alpha both may be 0: then nothing is mixed.
  const at::Tensor gammas = at::_standard_gamma(at::full({2}, alpha, at::kDouble), generator);
  const double sum = gammas.sum().item<double>();
  return {.share = sum > 0.0 ? gammas[0].item<double>() / sum : 1.0,
          .order = at::randperm(examples, generator, at::kLong)};
}

at::Tensor Mixup::Mix(const at::Tensor& x) const {
  return x * share + x.index_select(0, order) * (1.0 - share);
}

std::vector<at::Tensor> Mixup::MixInputs(const std::vector<at::Tensor>& inputs) const {
  std::vector<at::Tensor> mixed;
  for (const at::Tensor& input : inputs) mixed.push_back(Mix(input));
  return mixed;
}

at::Tensor Mixup::MixTargets(const at::Tensor& targets, const at::Tensor& output) const {
  if (!targets.defined()) return targets;
  return Mix(targets.is_floating_point() ? targets
                                         : at::one_hot(targets, output.size(1)).to(at::kFloat));
}

}  // namespace quantry::engine
