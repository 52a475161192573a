#include <ATen/ATen.h>

#include "worker/engine/train/loss.h"

namespace quantry::engine {
namespace {

// For several labels at once: every output is the logit of a yes or no of its own.
// -(t log s(x) + (1 - t) log(1 - s(x))), s the logistic function, mean over all elements
// (torch.nn.BCEWithLogitsLoss).
at::Tensor Compute(const at::Tensor& outputs, const at::Tensor& targets,
                   const LossOptions& options) {
  return at::binary_cross_entropy_with_logits(outputs,
                                              DenseTargets(targets, outputs.size(1), options));
}

}  // namespace

extern const LossDef kBinaryCrossEntropyLoss = {.name = "bce", .compute = Compute, .takes_classes = true, .takes_labels = true};

}  // namespace quantry::engine
