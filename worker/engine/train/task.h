#ifndef QUANTRY_WORKER_ENGINE_TRAIN_TASK_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_TASK_H_

#include <ATen/core/Tensor.h>

#include "absl/status/status.h"
#include "worker/engine/data/target.h"
#include "worker/engine/train/train_options.h"

namespace quantry::engine {

// What data is labelled with, and the options that depend on it.

// Whether training of `options` can learn from such targets. INVALID_ARGUMENT where the loss does
// not take them, where there are none and nothing to learn from instead, or where an option has no
// effect on them.
absl::Status CheckTask(const TrainOptions& options, TargetKind kind);

// DistillationOptions::task_weight, or what it is where it is absent.
double TaskWeight(const DistillationOptions& options, TargetKind kind);

// The loss that options name, of a model's output and targets as in Batch. Targets that are values
// take the output's shape, which has as many per example.
at::Tensor TaskLoss(const at::Tensor& output, const at::Tensor& targets,
                    const LossOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_TASK_H_
