#include "worker/trainer/read_mode_options.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/quant_config.h"
#include "common/status_macros.h"

namespace quantry::trainer {
namespace {

using engine::BudgetKind;

absl::Status ReadBits(absl::string_view field,
                      const google::protobuf::RepeatedField<int32_t>& given,
                      std::vector<int>& bits) {
  if (given.empty()) return absl::OkStatus();
  std::set<int> seen;
  for (const int width : given) {
    if (width < kMinQuantBits || width > kMaxQuantBits) {
      return absl::InvalidArgumentError(absl::StrCat(field, " has ", width, "; each must be in [",
                                                     kMinQuantBits, ", ", kMaxQuantBits, "]"));
    }
    if (!seen.insert(width).second) {
      return absl::InvalidArgumentError(absl::StrCat(field, " has ", width, " twice"));
    }
  }
  bits.assign(given.begin(), given.end());
  return absl::OkStatus();
}

absl::Status ReadBudget(const v1::MixedPrecisionOptions& given,
                        engine::MixedPrecisionOptions& options) {
  const int budgets =
      given.has_mean_weight_bits() + given.has_size_bytes() + given.has_bit_operations();
  if (budgets != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("job.mixed_precision has ", budgets,
                     " budgets; it must have one of mean_weight_bits, size_bytes and "
                     "bit_operations"));
  }
  double least = 0;
  double most = HUGE_VAL;
  if (given.has_mean_weight_bits()) {
    options.budget = BudgetKind::kMeanWeightBits;
    options.limit = given.mean_weight_bits();
    least = kMinQuantBits;
    most = kMaxQuantBits;
  } else if (given.has_size_bytes()) {
    options.budget = BudgetKind::kSizeBytes;
    options.limit = static_cast<double>(given.size_bytes());
    least = 1;
  } else {
    options.budget = BudgetKind::kBitOperations;
    options.limit = given.bit_operations();
  }
  if (options.limit > 0 && options.limit >= least && options.limit <= most &&
      std::isfinite(options.limit)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("job.mixed_precision.", engine::NameOf(options.budget), " is ", options.limit,
                   "; it must be ",
                   given.has_mean_weight_bits() ? absl::StrCat("in [", least, ", ", most, "]")
                                                : "a number larger than 0"));
}

absl::Status ReadMixedPrecision(const v1::JobSpec& job, RunOptions& options) {
  const v1::MixedPrecisionOptions& given = job.mixed_precision();
  engine::MixedPrecisionOptions& mixed = options.mixed_precision;
  QUANTRY_RETURN_IF_ERROR(ReadBudget(given, mixed));
  QUANTRY_RETURN_IF_ERROR(
      ReadBits("job.mixed_precision.candidate_bits", given.candidate_bits(), mixed.candidate_bits));
  if (mixed.candidate_bits.size() < 2) {
    return absl::InvalidArgumentError(
        "job.mixed_precision.candidate_bits has one entry; there must be two or more to choose "
        "from");
  }
  if (!job.sensitivity().bits().empty()) {
    return absl::InvalidArgumentError(
        "job.sensitivity.bits is set with MODE_MIXED_PRECISION, which measures "
        "mixed_precision.candidate_bits; it must be left out");
  }
  mixed.weights_only = given.weights_only();
  options.sensitivity = {.bits = mixed.candidate_bits, .weights_only = mixed.weights_only};
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadModeOptions(const v1::JobSpec& job, RunOptions& options) {
  options.ptq = {.equalize = job.ptq().equalize(),
                 .correct_bias = job.ptq().correct_bias(),
                 .adaptive_rounding = job.ptq().adaptive_rounding()};
  if (options.ptq.correct_bias && options.ptq.adaptive_rounding) {
    return absl::InvalidArgumentError(
        "job.ptq sets correct_bias beside adaptive_rounding, which leaves it nothing to correct; "
        "set one of the two");
  }
  const bool mixed = options.mode == RunMode::kMixedPrecision;
  if (!mixed && options.mode != RunMode::kSensitivity) return absl::OkStatus();
  QUANTRY_RETURN_IF_ERROR(
      mixed ? ReadMixedPrecision(job, options)
            : ReadBits("job.sensitivity.bits", job.sensitivity().bits(), options.sensitivity.bits));
  if (!job.sensitivity().has_max_examples()) return absl::OkStatus();
  options.sensitivity_examples = job.sensitivity().max_examples();
  if (options.sensitivity_examples >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "job.sensitivity.max_examples is ", options.sensitivity_examples, "; it must be at least 1"));
}

}  // namespace quantry::trainer
