#include "worker/engine/train/task.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

absl::Status CheckUnlabelled(const TrainOptions& options) {
  if (!options.distillation) {
    return absl::InvalidArgumentError(
        "the data has no labels to train with; set distillation, so that the model learns from the "
        "float model, or give labelled data");
  }
  if (options.distillation->task_weight.value_or(0.0) == 0.0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("distillation.task_weight is ", *options.distillation->task_weight,
                   ", but the data has no labels; leave it out or set 0"));
}

}  // namespace

double TaskWeight(const DistillationOptions& options, TargetKind kind) {
  return options.task_weight.value_or(kind == TargetKind::kNone ? 0.0 : 1.0);
}

absl::Status CheckTask(const TrainOptions& options, TargetKind kind) {
  if (kind == TargetKind::kNone) return CheckUnlabelled(options);
  const LossDef* loss = FindLoss(options.loss.name);
  if (!loss->Takes(kind)) {
    return absl::InvalidArgumentError(
        absl::StrCat("loss is '", options.loss.name, "', but the data is labelled with ",
                     TargetKindName(kind), "; it must be '", DefaultLoss(kind), "'",
                     kind == TargetKind::kValues ? " or 'huber'" : ""));
  }
  if (kind != TargetKind::kValues || options.loss.label_smoothing == 0.0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("label_smoothing is ", options.loss.label_smoothing,
                   ", but the data is labelled with real values; leave it out"));
}

at::Tensor TaskLoss(const at::Tensor& output, const at::Tensor& targets,
                    const LossOptions& options) {
  const bool dense = targets.is_floating_point() && targets.sizes() != output.sizes();
  return FindLoss(options.name)
      ->compute(output, dense ? targets.reshape(output.sizes()) : targets, options);
}

}  // namespace quantry::engine
