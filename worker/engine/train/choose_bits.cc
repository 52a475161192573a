#include "worker/engine/train/choose_bits.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "worker/engine/train/knapsack.h"

namespace quantry::engine {
namespace {

constexpr int64_t kFloatBits = 32;

// A layer with what it may become.
struct Candidate {
  ChosenLayer layer;
  std::vector<LayerBits> bits;
  std::vector<double> loss;
};

absl::StatusOr<double> LossAt(const SensitivityTable& table, const std::string& layer, int bits) {
  for (const LayerMeasurement& row : table.rows) {
    if (row.layer == layer && row.bits == bits) return NoiseToSignal(table, row);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("layer '", layer, "' was not measured at ", bits, " bits"));
}

// The layers with a weight, in the order of the table.
absl::StatusOr<std::vector<Candidate>> CandidatesOf(const SensitivityTable& table,
                                                    const MixedPrecisionOptions& options,
                                                    int default_weight_bits) {
  std::vector<Candidate> candidates;
  for (const LayerMeasurement& row : table.rows) {
    const bool known = !candidates.empty() && candidates.back().layer.layer == row.layer;
    if (known || row.planned_weight_bits == 0) continue;
    Candidate& candidate = candidates.emplace_back();
    candidate.layer = {.layer = row.layer,
                       .op_type = row.op_type,
                       .weights = row.weights,
                       .macs = row.macs,
                       .fixed = row.planned_weight_bits != default_weight_bits};
    if (candidate.layer.fixed) {
      candidate.bits.push_back({row.planned_weight_bits, row.planned_activation_bits});
      candidate.loss.push_back(0);
      continue;
    }
    for (const int bits : options.candidate_bits) {
      QUANTRY_ASSIGN_OR_RETURN(const double loss, LossAt(table, row.layer, bits));
      candidate.bits.push_back({bits, options.weights_only ? row.planned_activation_bits : bits});
      candidate.loss.push_back(loss);
    }
  }
  return candidates;
}

// Cost in whole bits, or in bit operations.
int64_t CostOf(const ChosenLayer& layer, const LayerBits& bits, BudgetKind budget) {
  if (budget == BudgetKind::kBitOperations) return layer.macs * bits.weight * bits.activation;
  return layer.weights * bits.weight;
}

int64_t WeightsOf(const std::vector<Candidate>& candidates) {
  int64_t weights = 0;
  for (const Candidate& candidate : candidates) weights += candidate.layer.weights;
  return weights;
}

// The limit in the unit of CostOf, and back. `weights` and `parameters`: elements.
double ToCost(double limit, BudgetKind budget, int64_t weights, int64_t parameters) {
  switch (budget) {
    case BudgetKind::kMeanWeightBits:
      return limit * static_cast<double>(weights);
    case BudgetKind::kSizeBytes:
      return 8 * limit - static_cast<double>(kFloatBits * (parameters - weights));
    case BudgetKind::kBitOperations:
      return limit;
  }
  return limit;
}

double FromCost(int64_t cost, BudgetKind budget, int64_t weights, int64_t parameters) {
  switch (budget) {
    case BudgetKind::kMeanWeightBits:
      return static_cast<double>(cost) / static_cast<double>(std::max<int64_t>(1, weights));
    case BudgetKind::kSizeBytes:
      return std::ceil(static_cast<double>(cost + kFloatBits * (parameters - weights)) / 8);
    case BudgetKind::kBitOperations:
      return static_cast<double>(cost);
  }
  return static_cast<double>(cost);
}

absl::Status TooSmall(const std::vector<Candidate>& candidates,
                      const MixedPrecisionOptions& options, int64_t parameters) {
  int64_t least = 0;
  for (const Candidate& candidate : candidates) {
    int64_t cheapest = CostOf(candidate.layer, candidate.bits.front(), options.budget);
    for (const LayerBits& bits : candidate.bits) {
      cheapest = std::min(cheapest, CostOf(candidate.layer, bits, options.budget));
    }
    least += cheapest;
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "mixed_precision.%s is %.12g; this model needs at least %.12g with the fewest of the "
      "candidate_bits; allow more, or fewer bits",
      NameOf(options.budget), options.limit,
      FromCost(least, options.budget, WeightsOf(candidates), parameters)));
}

BitChoice Summarise(const std::vector<Candidate>& candidates, const std::vector<size_t>& chosen,
                    const MixedPrecisionOptions& options, int64_t parameters) {
  BitChoice choice;
  int64_t cost = 0;
  int64_t weight_bits = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    ChosenLayer& layer = choice.layers.emplace_back(candidates[i].layer);
    layer.bits = candidates[i].bits[chosen[i]];
    cost += CostOf(layer, layer.bits, options.budget);
    weight_bits += CostOf(layer, layer.bits, BudgetKind::kMeanWeightBits);
    choice.bit_operations +=
        static_cast<double>(CostOf(layer, layer.bits, BudgetKind::kBitOperations));
  }
  const int64_t weights = WeightsOf(candidates);
  choice.used = FromCost(cost, options.budget, weights, parameters);
  choice.mean_weight_bits = FromCost(weight_bits, BudgetKind::kMeanWeightBits, weights, parameters);
  choice.size_bytes =
      static_cast<int64_t>(FromCost(weight_bits, BudgetKind::kSizeBytes, weights, parameters));
  return choice;
}

}  // namespace

absl::string_view NameOf(BudgetKind kind) {
  switch (kind) {
    case BudgetKind::kMeanWeightBits:
      return "mean_weight_bits";
    case BudgetKind::kSizeBytes:
      return "size_bytes";
    case BudgetKind::kBitOperations:
      return "bit_operations";
  }
  return "";
}

std::map<std::string, LayerBits> BitChoice::ByName() const {
  std::map<std::string, LayerBits> bits;
  for (const ChosenLayer& layer : layers) bits[layer.layer] = layer.bits;
  return bits;
}

absl::StatusOr<BitChoice> ChooseBits(const SensitivityTable& table,
                                     const MixedPrecisionOptions& options, int default_weight_bits,
                                     int64_t parameters) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Candidate> candidates,
                           CandidatesOf(table, options, default_weight_bits));
  std::vector<std::vector<KnapsackOption>> groups;
  for (const Candidate& candidate : candidates) {
    std::vector<KnapsackOption>& group = groups.emplace_back();
    for (size_t i = 0; i < candidate.bits.size(); ++i) {
      group.push_back(
          {CostOf(candidate.layer, candidate.bits[i], options.budget), candidate.loss[i]});
    }
  }
  const double limit = ToCost(options.limit, options.budget, WeightsOf(candidates), parameters);
  // A budget beyond all costs is as good as any larger one, and must fit an integer.
  const double bounded = std::clamp(std::floor(limit), -1.0, 9.0e18);
  const std::optional<std::vector<size_t>> chosen =
      SolveKnapsack(groups, static_cast<int64_t>(bounded));
  if (!chosen) return TooSmall(candidates, options, parameters);
  return Summarise(candidates, *chosen, options, parameters);
}

}  // namespace quantry::engine
