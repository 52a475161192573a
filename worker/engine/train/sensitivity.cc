#include "worker/engine/train/sensitivity.h"

#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/evaluate/task_metrics.h"

namespace quantry::engine {
namespace {

double SumOfSquares(const at::Tensor& x) { return x.square().sum(at::kDouble).item<double>(); }

// What a batch adds to top1 and loss.
OutputSums SumsOf(const at::Tensor& output, const at::Tensor& targets, TargetKind kind) {
  TaskMetrics metrics(kind);
  metrics.Add(output, targets);
  const double examples = static_cast<double>(metrics.examples());
  return {.top1 = metrics.top1() * examples, .loss = metrics.loss() * examples};
}

OutputSums operator+(const OutputSums& a, const OutputSums& b) {
  return {.noise = a.noise + b.noise, .top1 = a.top1 + b.top1, .loss = a.loss + b.loss};
}

absl::Status NotFinite(absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat(what, " gives an output that is not finite; check the model's weights"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SensitivityStudy>> SensitivityStudy::Create(
    const Graph& model, const QuantConfig& config, const PactStart& pact,
    const SensitivityOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<LayerProbe> probe,
                           LayerProbe::Create(model, config, pact, options.bits));
  std::unique_ptr<SensitivityStudy> study(new SensitivityStudy(std::move(probe), options));
  for (const PlannedLayer& layer : study->probe_->layers()) {
    for (const int bits : options.bits) {
      study->table_.rows.push_back({.layer = layer.name,
                                    .op_type = layer.op_type,
                                    .bits = bits,
                                    .weights = layer.weights,
                                    .planned_weight_bits = layer.weight_bits,
                                    .planned_activation_bits = layer.activation_bits});
    }
  }
  return study;
}

absl::Status SensitivityStudy::Calibrate(Loader& loader, int64_t batches,
                                         const CalibrationObserver& observer) {
  QUANTRY_RETURN_IF_ERROR(engine::Calibrate(probe_->graph(), loader, batches, observer));
  probe_->FinishCalibration();
  return absl::OkStatus();
}

absl::Status SensitivityStudy::Restore(const SensitivityTable& table) {
  bool same = table.rows.size() == table_.rows.size();
  for (size_t i = 0; same && i < table.rows.size(); ++i) {
    same = table.rows[i].layer == table_.rows[i].layer && table.rows[i].bits == table_.rows[i].bits;
  }
  if (!same) {
    return absl::FailedPreconditionError(
        "the kept sensitivity measurements are of other layers or bits");
  }
  table_ = table;
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> SensitivityStudy::Run(const std::vector<at::Tensor>& inputs) const {
  QUANTRY_ASSIGN_OR_RETURN(const auto executor, Executor::Create(probe_->graph()));
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<at::Tensor> outputs,
                           executor->Run(inputs, {.phase = RunPhase::kEvaluate}));
  return outputs.at(options_.task_output);
}

absl::Status SensitivityStudy::CountMacs(const std::vector<at::Tensor>& inputs,
                                         SensitivityTable& table) const {
  std::map<const Node*, size_t> layer_of;
  for (size_t i = 0; i < probe_->layers().size(); ++i) {
    for (const Node* node : probe_->layers()[i].nodes) layer_of[node] = i;
  }
  std::vector<int64_t> macs(probe_->layers().size(), 0);
  const Executor::NodeHook count = [&](const Node& node, absl::Span<const at::Tensor> operands,
                                       absl::Span<const at::Tensor> outputs) {
    const auto found = layer_of.find(&node);
    if (found == layer_of.end()) return absl::OkStatus();
    const PlannedLayer& layer = probe_->layers()[found->second];
    macs[found->second] += engine::CountMacs(node, layer.weights, operands[0], outputs[0]);
    return absl::OkStatus();
  };
  QUANTRY_ASSIGN_OR_RETURN(const auto executor, Executor::Create(probe_->graph()));
  std::vector<at::Tensor> first;
  for (const at::Tensor& input : inputs) first.push_back(input.slice(0, 0, 1));
  QUANTRY_RETURN_IF_ERROR(executor->Run(first, {.phase = RunPhase::kEvaluate}, count).status());
  const size_t widths = options_.bits.size();
  for (size_t row = 0; row < table.rows.size(); ++row) table.rows[row].macs = macs[row / widths];
  return absl::OkStatus();
}

absl::Status SensitivityStudy::Measure(const Batch& batch, const SensitivityObserver& observer) {
  const at::NoGradGuard no_grad;
  SensitivityTable table = table_;
  if (table.batches == 0) {
    QUANTRY_RETURN_IF_ERROR(CountMacs(batch.inputs, table));
  }
  QUANTRY_ASSIGN_OR_RETURN(const at::Tensor reference, Run(batch.inputs));
  const double signal = SumOfSquares(reference);
  if (!std::isfinite(signal)) return NotFinite("the float model");
  table.signal += signal;
  table.reference = table.reference + SumsOf(reference, batch.targets, options_.targets);
  const LayerProbe::Parts parts =
      options_.weights_only ? LayerProbe::Parts::kWeightOnly : LayerProbe::Parts::kAll;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    LayerMeasurement& row = table.rows[i];
    probe_->Quantize(i / options_.bits.size(), row.bits, parts);
    const absl::StatusOr<at::Tensor> output = Run(batch.inputs);
    probe_->SetFree();
    QUANTRY_RETURN_IF_ERROR(output.status());
    OutputSums sums = SumsOf(*output, batch.targets, options_.targets);
    sums.noise = SumOfSquares(*output - reference);
    if (!std::isfinite(sums.noise)) {
      return NotFinite(absl::StrCat("layer '", row.layer, "' at ", row.bits, " bits"));
    }
    row.sums = row.sums + sums;
    const int64_t runs = batch.index * runs_per_batch() + static_cast<int64_t>(i) + 1;
    if (!observer) continue;
    QUANTRY_RETURN_IF_ERROR(observer({.row = row, .runs_done = runs, .images = batch.size()}));
  }
  table.batches = batch.index + 1;
  table.examples += batch.size();
  table_ = std::move(table);
  return absl::OkStatus();
}

int64_t CountMacs(const Node& node, int64_t weights, const at::Tensor& x, const at::Tensor& y) {
  if (weights == 0 || y.numel() == 0) return 0;
  // Of what the weight's channels are counted in, and where they are.
  const at::Tensor& places = node.op() == "ConvTranspose" ? x : y;
  const bool convolution = node.op() == "Conv" || node.op() == "ConvTranspose";
  const int64_t channels = places.size(convolution ? 1 : places.dim() - 1);
  return weights * (places.numel() / (places.size(0) * channels));
}

}  // namespace quantry::engine
