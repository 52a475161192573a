#ifndef QUANTRY_WORKER_ENGINE_TRAIN_SGD_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_SGD_H_

#include <vector>

#include "worker/engine/train/optimizer.h"

namespace quantry::engine {

// Stochastic gradient descent with momentum, as torch.optim.SGD (no dampening, no Nesterov):
//   g = dL/dp + weight_decay * p;  v = momentum * v + g;  p = p - rate * v,  v = 0 at the start.
// State: "NAME.momentum" (v).
class Sgd final : public Optimizer {
 public:
  Sgd(std::vector<ParameterGroup> groups, const OptimizerOptions& options);

  std::vector<NamedTensor> State() const override;

 private:
  void StepOne(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
               double weight_decay) override;

  const double momentum_;
  std::vector<NamedTensor> momenta_;  // as Parameters()
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_SGD_H_
