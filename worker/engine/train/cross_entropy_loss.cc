#include <ATen/ATen.h>

#include "worker/engine/train/loss.h"

namespace quantry::engine {
namespace {

// -sum_k t_k log softmax(x)_k, mean over the batch (torch.nn.CrossEntropyLoss).
at::Tensor Compute(const at::Tensor& outputs, const at::Tensor& targets,
                   const LossOptions& options) {
  return at::cross_entropy_loss(outputs, targets, {}, at::Reduction::Mean, /*ignore_index=*/-100,
                                options.label_smoothing);
}

}  // namespace

extern const LossDef kCrossEntropyLoss = {.name = "cross_entropy", .compute = Compute, .takes_classes = true};

}  // namespace quantry::engine
