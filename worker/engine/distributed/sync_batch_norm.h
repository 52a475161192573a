#ifndef QUANTRY_WORKER_ENGINE_DISTRIBUTED_SYNC_BATCH_NORM_H_
#define QUANTRY_WORKER_ENGINE_DISTRIBUTED_SYNC_BATCH_NORM_H_

#include <ATen/core/Tensor.h>

#include "worker/engine/distributed/collective.h"

namespace quantry::engine {

// Batch normalization in training, over the rows of all ranks (as torch.nn.SyncBatchNorm). With N
// the elements per channel on all ranks, mean and v their mean and variance (of N):
//   y = (x - mean) / sqrt(v + epsilon) * gamma + beta
//   running_mean = (1 - momentum) * running_mean + momentum * mean, running_variance likewise with
//   v * N / (N - 1), in place.
// Backward (Ioffe and Szegedy, 2015): with r = 1 / sqrt(v + epsilon), h = (x - mean) * r and sums
// over all ranks,
//   dx = gamma * r * (dy - sum(dy) / N - h * sum(dy * h) / N);
// gamma and beta get this rank's own sums of dy * h and dy, as every other parameter gets its part
// of the gradient. One reduction forward, one backward.
//
// x: float32 or float64 [n, C, ...] with n >= 1; all others [C], gamma and beta of x's type. Ranks
// may have different n. Throws
// std::exception where the ranks can't be reached.
at::Tensor SyncBatchNorm(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                         const at::Tensor& running_mean, const at::Tensor& running_variance,
                         double momentum, double epsilon, Collective& ranks);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DISTRIBUTED_SYNC_BATCH_NORM_H_
