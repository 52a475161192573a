#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/steps/steps.h"

namespace quantry::trainer {
namespace {

constexpr char kNote[] = "sensitivity";  // in RunState::notes
constexpr absl::Duration kSaveInterval = absl::Minutes(1);

// What all measurements are of: the first examples of the evaluation data.
int64_t ExamplesOf(const RunState& state) {
  return std::min(state.options.sensitivity_examples, state.inputs.eval->num_examples());
}

int64_t BatchesOf(const RunState& state) {
  return (ExamplesOf(state) + state.options.batch_size - 1) / state.options.batch_size;
}

// Keeps what was measured, for a run that goes on from here.
absl::Status Save(RunState& state) {
  state.notes[kNote] = engine::SerializeTable(state.study->table());
  return SaveCheckpoint(state, {.steps_per_epoch = state.inputs.train->num_batches()});
}

absl::Status CalibrateStudy(RunState& state) {
  const int64_t total =
      std::min(state.options.calibration_batches, state.inputs.train->num_batches());
  state.progress.Begin(v1::PHASE_CALIBRATING, "", total);
  QUANTRY_RETURN_IF_ERROR(
      state.study->Calibrate(*state.inputs.train, total, [&state](int64_t done, int64_t) {
        state.progress.Advance({.steps_done = done, .images = state.options.batch_size});
        return state.CheckInterrupted();
      }));
  state.progress.End();
  return absl::OkStatus();
}

absl::Status OnRun(RunState& state, const engine::MeasuredRun& run) {
  state.progress.SetSubject(absl::StrCat(run.row.layer, ", ", run.row.bits, " bits"));
  state.progress.Advance({.steps_done = run.runs_done, .images = run.images});
  return state.CheckInterrupted();
}

// Measures the batches that the study lacks.
absl::Status MeasureBatches(RunState& state) {
  engine::SensitivityStudy& study = *state.study;
  absl::Duration saved_at = state.clock.Monotonic();
  QUANTRY_RETURN_IF_ERROR(state.inputs.eval->StartEpoch(0, study.table().batches));
  while (study.table().batches < BatchesOf(state)) {
    QUANTRY_ASSIGN_OR_RETURN(std::optional<engine::Batch> batch, state.inputs.eval->Next());
    if (!batch) break;
    const int64_t wanted = ExamplesOf(state) - study.table().examples;
    if (batch->size() > wanted) {
      for (at::Tensor& input : batch->inputs) input = input.slice(0, 0, wanted);
      if (batch->targets.defined()) batch->targets = batch->targets.slice(0, 0, wanted);
    }
    const absl::Status status = study.Measure(
        *batch, [&state](const engine::MeasuredRun& run) { return OnRun(state, run); });
    const bool due = state.clock.Monotonic() - saved_at >= kSaveInterval;
    if (study.table().batches > 0 && (due || absl::IsCancelled(status))) {
      QUANTRY_RETURN_IF_ERROR(Save(state));
      saved_at = state.clock.Monotonic();
    }
    QUANTRY_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

// Without labels SQNR is all there is.
v1::Sensitivity ToProto(const engine::SensitivityTable& table, engine::TargetKind targets) {
  v1::Sensitivity message;
  message.set_examples(table.examples);
  const double examples = static_cast<double>(std::max<int64_t>(1, table.examples));
  const bool classes = targets == engine::TargetKind::kClass;
  const bool labels = targets != engine::TargetKind::kNone;
  if (classes) message.set_float_top1(table.reference.top1 / examples);
  if (labels) message.set_float_loss(table.reference.loss / examples);
  int rank = 0;
  for (const size_t index : engine::RankedRows(table)) {
    const engine::LayerMeasurement& row = table.rows[index];
    const int rows = message.layers_size();
    if (rows == 0 || message.layers(rows - 1).layer() != row.layer) ++rank;
    v1::LayerSensitivity& layer = *message.add_layers();
    layer.set_layer(row.layer);
    layer.set_op_type(row.op_type);
    layer.set_bits(row.bits);
    layer.set_rank(rank);
    if (const auto sqnr = engine::SqnrDb(table, row)) layer.set_sqnr_db(*sqnr);
    if (classes) layer.set_top1(row.sums.top1 / examples);
    if (labels) layer.set_loss(row.sums.loss / examples);
    layer.set_weights(row.weights);
    layer.set_macs(row.macs);
  }
  return message;
}

}  // namespace

absl::Status PrepareSensitivity(RunState& state) {
  engine::SensitivityOptions options = state.options.sensitivity;
  options.task_output = state.inputs.task.output;
  options.targets = state.inputs.task.kind;
  QUANTRY_ASSIGN_OR_RETURN(state.study,
                           engine::SensitivityStudy::Create(state.inputs.model, state.options.quant,
                                                            PactStartOf(state.options), options));
  if (const auto note = state.notes.find(kNote); note != state.notes.end()) {
    QUANTRY_ASSIGN_OR_RETURN(const engine::SensitivityTable table,
                             engine::ParseTable(note->second));
    QUANTRY_RETURN_IF_ERROR(state.study->Restore(table));
    SendLog(state.sink, v1::LogLine::INFO,
            absl::StrCat("sensitivity: ", table.batches, " of ", BatchesOf(state),
                         " batches were measured before"));
  }
  const int64_t batches = std::max<int64_t>(0, BatchesOf(state) - state.study->table().batches);
  state.progress.AddEvaluationBatches(batches * state.study->runs_per_batch());
  return absl::OkStatus();
}

absl::Status MeasureSensitivity(RunState& state) {
  // A checkpoint of the training is from after the measurement, which may have ended early, for
  // want of pictures that are not corrupt.
  if (!state.resume_from && state.study->table().batches < BatchesOf(state)) {
    QUANTRY_RETURN_IF_ERROR(CalibrateStudy(state));
    state.progress.Begin(v1::PHASE_SENSITIVITY, "",
                         BatchesOf(state) * state.study->runs_per_batch(),
                         state.study->table().batches * state.study->runs_per_batch());
    QUANTRY_RETURN_IF_ERROR(MeasureBatches(state));
    state.progress.End();
    QUANTRY_RETURN_IF_ERROR(Save(state));
  }
  state.sensitivity = state.study->table();
  state.study.reset();
  if (state.sensitivity.examples == 0) {
    return absl::InvalidArgumentError("there is no evaluation example to measure layers with");
  }
  *state.record.result.mutable_sensitivity() = ToProto(state.sensitivity, state.inputs.task.kind);
  return absl::OkStatus();
}

}  // namespace quantry::trainer
