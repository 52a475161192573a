#include "worker/engine/evaluate/evaluate_model.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/evaluate/not_finite.h"

namespace quantry::engine {
namespace {

bool AnyNaN(const std::vector<at::Tensor>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(), [](const at::Tensor& output) {
    return output.is_floating_point() && output.isnan().any().item<bool>();
  });
}

}  // namespace

absl::StatusOr<TaskMetrics> EvaluateModel(const Graph& graph, Loader& loader,
                                          const EvaluationObserver& observer,
                                          const EvaluateOptions& options) {
  const at::NoGradGuard no_grad;
  const EvaluateContext context = {.phase = RunPhase::kEvaluate};
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(graph));
  TaskMetrics metrics(loader.dataset().target_kind());
  std::unique_ptr<Executor> reference;
  if (options.reference != nullptr && metrics.kind() == TargetKind::kNone) {
    QUANTRY_ASSIGN_OR_RETURN(reference, Executor::Create(*options.reference));
  }
  QUANTRY_RETURN_IF_ERROR(loader.StartEpoch(0));
  while (true) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader.Next());
    if (!batch) break;
    QUANTRY_ASSIGN_OR_RETURN(const std::vector<at::Tensor> outputs,
                             executor->Run(batch->inputs, context));
    if (AnyNaN(outputs)) {
      return ExplainNotFinite(
          *executor, batch->inputs, context,
          absl::StrCat("the model's output is NaN for evaluation batch ", batch->index),
          "check the weights; after training, try a lower learning_rate");
    }
    const at::Tensor& output = outputs.at(options.task_output);
    metrics.Add(output, batch->targets);
    if (reference != nullptr) {
      QUANTRY_ASSIGN_OR_RETURN(const std::vector<at::Tensor> expected,
                               reference->Run(batch->inputs, context));
      metrics.Compare(outputs, expected);
    }
    if (!observer) continue;
    QUANTRY_RETURN_IF_ERROR(observer({.batches_done = batch->index + 1,
                                      .batches = loader.num_batches(),
                                      .examples = batch->size(),
                                      .outputs = outputs,
                                      .logits = output,
                                      .metrics = metrics}));
  }
  return metrics;
}

}  // namespace quantry::engine
