#include "worker/engine/evaluate/evaluate_model.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/evaluate/not_finite.h"

namespace quantry::engine {
namespace {

absl::Status CheckOneInOneOut(const Graph& graph) {
  if (graph.inputs().size() != 1 || graph.outputs().size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the model has ", graph.inputs().size(), " inputs and ", graph.outputs().size(),
        " outputs; a classifier has one input (pictures) and one output (logits)"));
  }
  return absl::OkStatus();
}

std::string Shape(const at::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes(), ", "), "]");
}

}  // namespace

absl::StatusOr<ClassificationMetrics> EvaluateModel(const Graph& graph, Loader& loader,
                                                    const EvaluationObserver& observer) {
  const at::NoGradGuard no_grad;
  QUANTRY_RETURN_IF_ERROR(CheckOneInOneOut(graph));
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(graph));
  QUANTRY_RETURN_IF_ERROR(loader.StartEpoch(0));
  ClassificationMetrics metrics;
  while (true) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader.Next());
    if (!batch) break;
    QUANTRY_ASSIGN_OR_RETURN(const std::vector<at::Tensor> outputs,
                             executor->Run({batch->images}, {.phase = RunPhase::kEvaluate}));
    if (outputs[0].isnan().any().item<bool>()) {
      return ExplainNotFinite(
          *executor, batch->images, {.phase = RunPhase::kEvaluate},
          absl::StrCat("the model's output is NaN for evaluation batch ", batch->index),
          "check the weights; after training, try a lower learning_rate");
    }
    metrics.Add(outputs[0], batch->labels);
    if (!observer) continue;
    QUANTRY_RETURN_IF_ERROR(observer({.batches_done = batch->index + 1,
                                      .batches = loader.num_batches(),
                                      .logits = outputs[0],
                                      .metrics = metrics}));
  }
  return metrics;
}

absl::Status CheckClassifier(const Graph& graph, int64_t image_size, int64_t classes) {
  const at::NoGradGuard no_grad;
  QUANTRY_RETURN_IF_ERROR(CheckOneInOneOut(graph));
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor, Executor::Create(graph));
  const at::Tensor pictures =
      at::zeros({2, 3, image_size, image_size}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto outputs = executor->Run({pictures}, {.phase = RunPhase::kEvaluate});
  if (!outputs.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the model does not run on pictures ", Shape(pictures), ": ", outputs.status().message(),
        "; if the batch size is fixed in the file, export it with a dynamic one "
        "(torch.onnx.export: dynamic_axes)"));
  }
  const at::Tensor& logits = outputs->front();
  if (logits.dim() != 2 || logits.size(0) != 2 || !at::isFloatingType(logits.scalar_type())) {
    return absl::InvalidArgumentError(
        absl::StrCat("for pictures ", Shape(pictures), " the model gives ", Shape(logits),
                     "; a classifier gives float logits [2, ", classes, "]"));
  }
  if (logits.size(1) != classes) {
    return absl::InvalidArgumentError(absl::StrCat("the model has ", logits.size(1),
                                                   " outputs, the dataset has ", classes,
                                                   " classes; they must be equal"));
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
