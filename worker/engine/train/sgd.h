#ifndef QUANTRY_WORKER_ENGINE_TRAIN_SGD_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_SGD_H_

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "absl/types/span.h"

namespace quantry::engine {

// A tensor and what it is called in checkpoints and messages. Copies share the tensor.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// Parameters that are trained alike.
struct ParameterGroup {
  std::vector<NamedTensor> parameters;
  double weight_decay = 0.0;          // L2, >= 0
  double learning_rate_factor = 1.0;  // times the step's rate, > 0
};

// Stochastic gradient descent with momentum, as torch.optim.SGD (no dampening, no Nesterov):
//   g = dL/dp + weight_decay * p;  v = momentum * v + g;  p = p - rate * v,  v = 0 at the start.
// Changes the parameters in place. Not thread-safe.
class Sgd {
 public:
  Sgd(std::vector<ParameterGroup> groups, double momentum);

  // Uses and spoils the gradients; parameters without one are left alone.
  void Step(double learning_rate);
  void ZeroGradients();

  // All parameters, over all groups.
  std::vector<NamedTensor> Parameters() const;
  // The momentum v of each parameter under the parameter's name; copying into the tensors restores
  // a state.
  std::vector<NamedTensor> Momenta() const;

 private:
  std::vector<ParameterGroup> groups_;
  std::vector<std::vector<at::Tensor>> momenta_;  // as groups_
  double momentum_;
};

// Scales all gradients by max_norm / (norm + 1e-6) if their global L2 norm is above `max_norm`
// (torch.nn.utils.clip_grad_norm_); returns the norm from before.
double ClipGradientNorm(absl::Span<const NamedTensor> parameters, double max_norm);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_SGD_H_
