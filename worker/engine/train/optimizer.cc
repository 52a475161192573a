#include "worker/engine/train/optimizer.h"

#include <ATen/ATen.h>

#include <utility>

#include "common/status_macros.h"
#include "worker/engine/train/adam.h"
#include "worker/engine/train/adamw.h"
#include "worker/engine/train/require.h"
#include "worker/engine/train/sgd.h"

namespace quantry::engine {
namespace {

template <typename T>
std::unique_ptr<Optimizer> Make(std::vector<ParameterGroup> groups,
                                const OptimizerOptions& options) {
  return std::make_unique<T>(std::move(groups), options);
}

constexpr OptimizerDef kOptimizers[] = {
    {"sgd", &Make<Sgd>},
    {"adam", &Make<Adam>},
    {"adamw", &Make<AdamW>},
};

const OptimizerDef* FindOptimizer(absl::string_view name) {
  return FindByName(OptimizerTable(), name);
}

}  // namespace

absl::Span<const OptimizerDef> OptimizerTable() { return kOptimizers; }

absl::Status OptimizerOptions::Validate() const {
  if (FindOptimizer(name) == nullptr) return UnknownName("optimizer", name, OptimizerTable());
  QUANTRY_RETURN_IF_ERROR(
      Require(momentum >= 0.0 && momentum < 1.0, "momentum", momentum, "in [0, 1)"));
  QUANTRY_RETURN_IF_ERROR(Require(beta1 >= 0.0 && beta1 < 1.0, "beta1", beta1, "in [0, 1)"));
  QUANTRY_RETURN_IF_ERROR(Require(beta2 >= 0.0 && beta2 < 1.0, "beta2", beta2, "in [0, 1)"));
  return RequirePositive("epsilon", epsilon);
}

std::unique_ptr<Optimizer> MakeOptimizer(std::vector<ParameterGroup> groups,
                                         const OptimizerOptions& options) {
  return FindOptimizer(options.name)->make(std::move(groups), options);
}

void Optimizer::Step(double learning_rate) {
  const at::NoGradGuard no_grad;
  size_t index = 0;
  for (const ParameterGroup& group : groups_) {
    const double rate = learning_rate * group.learning_rate_factor;
    for (const NamedTensor& parameter : group.parameters) {
      const at::Tensor gradient = parameter.tensor.grad();
      if (gradient.defined()) {
        StepOne(index, parameter.tensor, gradient, rate, group.weight_decay);
      }
      ++index;
    }
  }
}

void Optimizer::ZeroGradients() {
  for (ParameterGroup& group : groups_) {
    for (NamedTensor& parameter : group.parameters) parameter.tensor.mutable_grad().reset();
  }
}

std::vector<NamedTensor> Optimizer::Parameters() const {
  std::vector<NamedTensor> all;
  for (const ParameterGroup& group : groups_) {
    all.insert(all.end(), group.parameters.begin(), group.parameters.end());
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
