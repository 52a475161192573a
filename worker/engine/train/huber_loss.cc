#include <ATen/ATen.h>

#include "worker/engine/train/loss.h"

namespace quantry::engine {
namespace {

// With e = |x - t|: e^2 / 2 up to delta, then delta * (e - delta / 2); mean over all elements
// (Huber, "Robust Estimation of a Location Parameter", 1964; torch.nn.HuberLoss).
at::Tensor Compute(const at::Tensor& outputs, const at::Tensor& targets,
                   const LossOptions& options) {
  return at::huber_loss(outputs, DenseTargets(targets, outputs.size(-1), options),
                        at::Reduction::Mean, options.huber_delta);
}

}  // namespace

extern const LossDef kHuberLoss = {.name = "huber", .compute = Compute, .takes_classes = true, .takes_values = true};

}  // namespace quantry::engine
