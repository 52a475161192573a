#ifndef QUANTRY_WORKER_ENGINE_TRAIN_SENSITIVITY_TABLE_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_SENSITIVITY_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// Sums over examples, of one way of running the model. Means are sums divided by the table's number
// of examples.
struct OutputSums {
  double noise = 0.0;  // squares of (output - float output)
  double top1 = 0.0;   // examples whose class scored best; 0 without classes
  double loss = 0.0;   // of the task, as TaskMetrics has it; 0 without labels
  friend bool operator==(const OutputSums&, const OutputSums&) = default;
};

// One layer at one width.
struct LayerMeasurement {
  std::string layer;    // PlannedLayer::name
  std::string op_type;  // ONNX operator
  int bits = 8;
  int64_t weights = 0;  // elements of its weight; 0: none
  int64_t macs = 0;     // multiplications for one example; 0: none, or not counted yet
  // The widths of weight and input in the plan (quant_config's); 0: there is none.
  int planned_weight_bits = 0;
  int planned_activation_bits = 0;
  OutputSums sums;
  friend bool operator==(const LayerMeasurement&, const LayerMeasurement&) = default;
};

// What a SensitivityStudy has measured so far.
struct SensitivityTable {
  int64_t batches = 0;  // of the evaluation data that were gone through
  int64_t examples = 0;
  double signal = 0.0;   // squares of the float model's output, summed
  OutputSums reference;  // of the float model; its noise is 0
  std::vector<LayerMeasurement> rows;
  friend bool operator==(const SensitivityTable&, const SensitivityTable&) = default;
};

// Noise energy over signal energy of the model's output; 0: nothing was disturbed. This is what is
// added up over layers where bits are chosen: noises of different layers are taken to be
// independent (Zhou et al. 2018, "Adaptive Quantization for Deep Neural Network", section 3).
double NoiseToSignal(const SensitivityTable& table, const LayerMeasurement& row);

// The same in decibel, -10 log10: signal-to-quantization-noise ratio. Absent without noise or
// signal.
std::optional<double> SqnrDb(const SensitivityTable& table, const LayerMeasurement& row);

// Indices of the rows: layers by the noise at their fewest bits, the largest first (equal ones in
// the order of the table), and of one layer from many bits to few.
std::vector<size_t> RankedRows(const SensitivityTable& table);

// As JSON text that keeps every bit of the sums, and back. DATA_LOSS: this is no such text.
std::string SerializeTable(const SensitivityTable& table);
absl::StatusOr<SensitivityTable> ParseTable(absl::string_view json);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_SENSITIVITY_TABLE_H_
