#include <algorithm>

#include "common/status_macros.h"
#include "worker/engine/evaluate/not_finite.h"
#include "worker/engine/export/deployed_model.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {
namespace {

// Top-1 is a figure of classifiers alone; other tasks have theirs in the metrics.
bool HasClasses(const engine::TaskMetrics& metrics) {
  return metrics.kind() == engine::TargetKind::kClass;
}

bool IsQdq(const engine::Graph& graph) {
  const std::vector<engine::Node*> nodes = graph.nodes();
  return std::any_of(nodes.begin(), nodes.end(),
                     [](const engine::Node* node) { return node->op() == "DequantizeLinear"; });
}

}  // namespace

absl::Status EvaluateFloat(RunState& state) {
  QUANTRY_ASSIGN_OR_RETURN(
      const engine::TaskMetrics metrics,
      Evaluate(state, state.FloatGraph(), v1::PHASE_EVALUATING, "float", state.check.Expect()));
  if (HasClasses(metrics)) state.record.result.set_float_top1(metrics.top1());
  return absl::OkStatus();
}

absl::Status EvaluateFakeQuant(RunState& state) {
  QUANTRY_ASSIGN_OR_RETURN(const engine::TaskMetrics metrics,
                           EvaluateDeployed(state, "fake_quant", state.check.Expect()));
  if (HasClasses(metrics)) state.record.result.set_fake_quant_top1(metrics.top1());
  return absl::OkStatus();
}

absl::Status EvaluateGiven(RunState& state) {
  const bool qdq = IsQdq(state.model);
  const auto ignore = [](const engine::EvaluatedBatch&) { return absl::OkStatus(); };
  QUANTRY_ASSIGN_OR_RETURN(
      const engine::TaskMetrics metrics,
      Evaluate(state, state.model, v1::PHASE_EVALUATING, qdq ? "artifact" : "float", ignore));
  v1::Result& result = state.record.result;
  if (HasClasses(metrics)) {
    qdq ? result.set_artifact_top1(metrics.top1()) : result.set_float_top1(metrics.top1());
  }
  std::error_code error;
  const auto size = std::filesystem::file_size(state.options.model_path, error);
  if (error) return absl::OkStatus();  // a built-in network has no file
  const auto bytes = static_cast<int64_t>(size);
  qdq ? result.set_model_size_bytes(bytes) : result.set_float_model_size_bytes(bytes);
  return absl::OkStatus();
}

absl::StatusOr<engine::TaskMetrics> EvaluateDeployed(RunState& state, absl::string_view subject,
                                                     const engine::EvaluationObserver& look) {
  if (!state.mode.quantizes) {
    return Evaluate(state, state.model, v1::PHASE_EVALUATING, subject, look);
  }
  QUANTRY_ASSIGN_OR_RETURN(
      const engine::Graph deployed,
      engine::DeployedModel(state.model, engine::QdqOptionsOf(state.options.quant)));
  return Evaluate(state, deployed, v1::PHASE_EVALUATING, subject, look);
}

absl::StatusOr<engine::TaskMetrics> Evaluate(RunState& state, const engine::Graph& graph,
                                             v1::Phase phase, absl::string_view subject,
                                             const engine::EvaluationObserver& look) {
  engine::Loader& loader = *state.inputs.eval;
  const RunState::TimedWork work = state.BeginWork(loader);
  state.progress.Begin(phase, subject, loader.num_batches());
  const auto observer = [&](const engine::EvaluatedBatch& batch) {
    QUANTRY_RETURN_IF_ERROR(look(batch));
    state.progress.Advance({.steps_done = batch.batches_done, .images = batch.examples},
                           DataStateOf(state, loader));
    return state.CheckInterrupted();
  };
  // The float model agrees with itself, which says nothing.
  const engine::Graph* reference = &graph == &state.FloatGraph() || &graph == &state.inputs.model
                                       ? nullptr
                                       : &state.FloatGraph();
  const auto metrics = engine::EvaluateModel(
      graph, loader, observer, {.task_output = state.inputs.task.output, .reference = reference});
  if (engine::IsNotFinite(metrics.status())) {
    return WithReason(metrics.status(),
                      state.steps_trained > 0 ? "TRAINING_DIVERGED" : "MODEL_INVALID");
  }
  QUANTRY_RETURN_IF_ERROR(metrics.status());
  state.progress.End();
  const int64_t steps_per_epoch = std::max<int64_t>(1, state.inputs.train->num_batches());
  state.SendMetrics(subject, state.steps_trained / steps_per_epoch, state.steps_trained, loader,
                    *metrics, work);
  return metrics;
}

DataState DataStateOf(const RunState& state, const engine::Loader& loader) {
  return {.stats = loader.Stats(),
          .corrupt = state.inputs.train->num_corrupt() + state.inputs.eval->num_corrupt()};
}

}  // namespace quantry::trainer
