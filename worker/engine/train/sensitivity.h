#ifndef QUANTRY_WORKER_ENGINE_TRAIN_SENSITIVITY_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_SENSITIVITY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/data/batch.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/data/target.h"
#include "worker/engine/train/calibrate.h"
#include "worker/engine/train/layer_probe.h"
#include "worker/engine/train/sensitivity_table.h"

namespace quantry::engine {

// What is measured.
struct SensitivityOptions {
  std::vector<int> bits = {8, 4};  // in [kMinQuantBits, kMaxQuantBits], none twice, not empty
  bool weights_only = false;       // inputs of layers stay in float
  size_t task_output = 0;          // place in Graph::outputs() of what is compared
  // What the batches are labelled with. It decides which of OutputSums are measured beside noise,
  // which needs no labels.
  TargetKind targets = TargetKind::kClass;
};

// Called after each run of the model; an error ends the measurement with it.
struct MeasuredRun {
  const LayerMeasurement& row;  // that the run was for
  int64_t runs_done = 0;        // over all batches, this one included
  int64_t images = 0;           // of this run
};
using SensitivityObserver = std::function<absl::Status(const MeasuredRun&)>;

// Measures how much each layer disturbs the model's output when it alone is quantized. Batches are
// the outer loop, so that each is decoded and evaluated in float once, and the work so far is a
// table that can be kept and gone on from after any batch. Not thread-safe.
class SensitivityStudy {
 public:
  // Errors: those of Annotate.
  static absl::StatusOr<std::unique_ptr<SensitivityStudy>> Create(
      const Graph& model, const QuantConfig& config, const PactStart& pact,
      const SensitivityOptions& options);

  // Runs of the quantized model that one batch takes.
  int64_t runs_per_batch() const { return static_cast<int64_t>(table_.rows.size()); }

  // Gives the quantizers their start values; before the first Measure.
  absl::Status Calibrate(Loader& loader, int64_t batches, const CalibrationObserver& observer);

  // Goes on from a table of an earlier study of the same model and options. FAILED_PRECONDITION if
  // it is of another one.
  absl::Status Restore(const SensitivityTable& table);

  // Adds one batch to the measurements of all layers, or, with an error, to none.
  absl::Status Measure(const Batch& batch, const SensitivityObserver& observer);

  const SensitivityTable& table() const { return table_; }

 private:
  SensitivityStudy(std::unique_ptr<LayerProbe> probe, SensitivityOptions options)
      : probe_(std::move(probe)), options_(std::move(options)) {}
  // Multiplications per example of each layer, into `table`; from a run in float.
  absl::Status CountMacs(const std::vector<at::Tensor>& inputs, SensitivityTable& table) const;
  absl::StatusOr<at::Tensor> Run(const std::vector<at::Tensor>& inputs) const;

  std::unique_ptr<LayerProbe> probe_;
  const SensitivityOptions options_;
  SensitivityTable table_;  // rows: layer by layer, options_.bits within
};

// Multiplications of a Conv, ConvTranspose, Gemm or MatMul node for one example: elements of the
// weight times the places where each is used. `weights` is the number of its elements; `x` and `y`
// are the input and output of a run, with the batch first.
int64_t CountMacs(const Node& node, int64_t weights, const at::Tensor& x, const at::Tensor& y);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_SENSITIVITY_H_
