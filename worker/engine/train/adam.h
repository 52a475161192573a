#ifndef QUANTRY_WORKER_ENGINE_TRAIN_ADAM_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_ADAM_H_

#include <vector>

#include "worker/engine/train/optimizer.h"

namespace quantry::engine {

// Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1), with
// weight decay as L2 in the gradient, as torch.optim.Adam. In step t = 1, 2, ... of a parameter p:
//   g = dL/dp + weight_decay * p
//   m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2,  0 at the start
//   p = p - rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
// State: "NAME.mean" (m), "NAME.mean_square" (v), "NAME.steps" (t).
class Adam : public Optimizer {
 public:
  Adam(std::vector<ParameterGroup> groups, const OptimizerOptions& options);

  std::vector<NamedTensor> State() const override;

 protected:
  // Two ways to decay, of which a kind of Adam takes one: `in_gradient` times the parameter is
  // added to the gradient, or the parameter is multiplied by `kept` first.
  struct Decay {
    double in_gradient = 0;
    double kept = 1;
  };
  void Update(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
              const Decay& decay);

 private:
  void StepOne(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
               double weight_decay) override;

  struct Moments {
    NamedTensor mean;
    NamedTensor mean_square;
    NamedTensor steps;  // int64 scalar
  };

  const OptimizerOptions options_;
  std::vector<Moments> moments_;  // as Parameters()
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_ADAM_H_
