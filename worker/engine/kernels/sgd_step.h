#ifndef QUANTRY_WORKER_ENGINE_KERNELS_SGD_STEP_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_SGD_STEP_H_

#include <cstdint>

namespace quantry::engine {

// The numbers of one step of stochastic gradient descent.
struct SgdNumbers {
  float rate = 0;
  float momentum = 0;
  float weight_decay = 0;
};

// One pass over `count` elements of a parameter, its gradient and its momentum:
//   momentum  = numbers.momentum * momentum + gradient + weight_decay * parameter
//   parameter = parameter - rate * momentum
// (torch.optim.SGD without dampening; rounded as ATen's operators one by one round on machines with
// fused multiplication and addition). Single-threaded, thread-safe; the arrays don't overlap.
void SgdStep(float* parameter, const float* gradient, float* momentum, int64_t count,
             const SgdNumbers& numbers);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_SGD_STEP_H_
