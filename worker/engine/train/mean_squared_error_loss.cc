#include <ATen/ATen.h>

#include "worker/engine/train/loss.h"

namespace quantry::engine {
namespace {

// (x - t)^2, mean over all elements.
at::Tensor Compute(const at::Tensor& outputs, const at::Tensor& targets,
                   const LossOptions& options) {
  return at::mse_loss(outputs, DenseTargets(targets, outputs.size(-1), options));
}

}  // namespace

extern const LossDef kMeanSquaredErrorLoss = {.name = "mse", .compute = Compute, .takes_classes = true, .takes_values = true};

}  // namespace quantry::engine
