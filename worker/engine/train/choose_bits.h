#ifndef QUANTRY_WORKER_ENGINE_TRAIN_CHOOSE_BITS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_CHOOSE_BITS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/passes/planned_layers.h"
#include "worker/engine/train/sensitivity_table.h"

namespace quantry::engine {

// What is limited.
enum class BudgetKind {
  kMeanWeightBits = 1,  // mean over all quantized weights
  kSizeBytes = 2,       // all parameters: quantized weights packed at their bits, others 4 bytes
  kBitOperations = 3,   // sum of multiplications * weight bits * input bits, for one example
};

// "mean_weight_bits", "size_bytes", "bit_operations": as in the job's options.
absl::string_view NameOf(BudgetKind kind);

struct MixedPrecisionOptions {
  std::vector<int> candidate_bits = {2, 3, 4, 5, 6, 7, 8};  // the widths of the table's rows
  BudgetKind budget = BudgetKind::kMeanWeightBits;
  double limit = 8.0;         // in the unit of `budget`, > 0
  bool weights_only = false;  // inputs keep their planned width; else they get the weight's
};

// One layer of a choice.
struct ChosenLayer {
  std::string layer;
  std::string op_type;
  LayerBits bits;
  int64_t weights = 0;  // elements
  int64_t macs = 0;     // for one example
  bool fixed = false;   // its planned width is its own, so there was nothing to choose
};

struct BitChoice {
  std::vector<ChosenLayer> layers;  // in the order of the table
  double used = 0;                  // of the budget, in its unit
  double mean_weight_bits = 0;
  int64_t size_bytes = 0;
  double bit_operations = 0;

  // For WithBits.
  std::map<std::string, LayerBits> ByName() const;
};

// Chooses the widths with the least noise at the model's output, summed over layers
// (NoiseToSignal), that fit the budget. `default_weight_bits`: quant_config's; layers whose planned
// width is another one have it from an override and keep it. `parameters`: elements of all
// parameters of the model, quantized or not. Depends on nothing but its arguments.
// INVALID_ARGUMENT: the budget is too small for any choice; the message says what the smallest
// takes. FAILED_PRECONDITION: the table lacks a candidate.
absl::StatusOr<BitChoice> ChooseBits(const SensitivityTable& table,
                                     const MixedPrecisionOptions& options, int default_weight_bits,
                                     int64_t parameters);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_CHOOSE_BITS_H_
