#ifndef QUANTRY_WORKER_ENGINE_KERNELS_OPTIMIZER_STEP_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_OPTIMIZER_STEP_H_

#include <cstdint>

namespace quantry::engine {

// Steps of optimizers as one pass over `count` elements of a parameter, its gradient and its state;
// rounded as ATen's operators one by one round on machines with fused multiplication and addition.
// Single-threaded, thread-safe; the arrays don't overlap.

// Stochastic gradient descent (torch.optim.SGD without dampening):
//   momentum  = numbers.momentum * momentum + gradient + weight_decay * parameter
//   parameter = parameter - rate * momentum
struct SgdNumbers {
  float rate = 0;
  float momentum = 0;
  float weight_decay = 0;
};
void SgdStep(float* parameter, const float* gradient, float* momentum, int64_t count,
             const SgdNumbers& numbers);

// Adam (Kingma and Ba, 2015) in its step t:
//   p         = kept * parameter
//   g         = gradient + weight_decay * p
//   mean      = beta1 * mean + (1 - beta1) * g
//   square    = beta2 * square + (1 - beta2) * g^2
//   parameter = p - rate * mean / (sqrt(square) / root_share + epsilon)
// with the step's rate over 1 - beta1^t as `rate`, and sqrt(1 - beta2^t) as `root_share`. `kept` is
// AdamW's decay beside the gradient, else 1.
struct AdamNumbers {
  float rate = 0;
  float root_share = 1;
  float epsilon = 1e-8f;
  float beta1 = 0;
  float beta2 = 0;
  float new_mean = 1;    // 1 - beta1
  float new_square = 1;  // 1 - beta2
  float weight_decay = 0;
  float kept = 1;
};
struct AdamState {
  float* mean;
  float* square;
};
void AdamStep(float* parameter, const float* gradient, const AdamState& state, int64_t count,
              const AdamNumbers& numbers);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_OPTIMIZER_STEP_H_
