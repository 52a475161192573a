#ifndef QUANTRY_WORKER_ENGINE_TRAIN_ADAMW_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_ADAMW_H_

#include "worker/engine/train/adam.h"

namespace quantry::engine {

// Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
// ICLR 2019, algorithm 2), as torch.optim.AdamW: p = p * (1 - rate * weight_decay), then the step
// of Adam with the plain gradient.
class AdamW final : public Adam {
 public:
  using Adam::Adam;

 private:
  void StepOne(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
               double weight_decay) override;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_ADAMW_H_
