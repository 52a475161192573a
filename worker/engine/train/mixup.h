#ifndef QUANTRY_WORKER_ENGINE_TRAIN_MIXUP_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_MIXUP_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace quantry::engine {

// mixup (Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018):
// a batch and a shuffle of it are added with one share, pictures and targets alike.
struct Mixup {
  double share = 1.0;  // of each example's own, from Beta(alpha, alpha)
  at::Tensor order;    // int64 [n]: whom each example is mixed with

  // What is drawn for a batch of `examples` depends on the arguments alone. alpha > 0.
  static Mixup Draw(int64_t examples, double alpha, uint64_t seed);

  // share * x + (1 - share) * x[order]; x is float [n, ...].
  at::Tensor Mix(const at::Tensor& x) const;
  // Every input of a batch; all must be float.
  std::vector<at::Tensor> MixInputs(const std::vector<at::Tensor>& inputs) const;
  // Targets as in Batch, undefined ones included; classes are mixed as shares of all the classes
  // that `output`, float [n, classes], tells apart.
  at::Tensor MixTargets(const at::Tensor& targets, const at::Tensor& output) const;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_MIXUP_H_
