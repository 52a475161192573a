#include <cmath>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/quant_config.h"
#include "server/core/spec_sections.h"

namespace quantry::server {
namespace {

// Widths, each in [2, 16] and none twice.
void CheckBits(const std::string& field, const google::protobuf::RepeatedField<int32_t>& bits,
               Violations& violations) {
  std::set<int32_t> seen;
  for (const int32_t width : bits) {
    violations.Require(width >= kMinQuantBits && width <= kMaxQuantBits, field, width,
                       absl::StrCat(kMinQuantBits, " to ", kMaxQuantBits));
    if (!seen.insert(width).second) violations.Add(field, absl::StrCat("has ", width, " twice"));
  }
}

void CheckBudget(const v1::MixedPrecisionOptions& options, Violations& violations) {
  const int budgets =
      options.has_mean_weight_bits() + options.has_size_bytes() + options.has_bit_operations();
  if (budgets != 1) {
    violations.Add("spec.mixed_precision",
                   absl::StrCat("has ", budgets,
                                " budgets; allowed: one of mean_weight_bits, size_bytes, "
                                "bit_operations"));
  }
  if (options.has_mean_weight_bits()) {
    const double bits = options.mean_weight_bits();
    violations.Require(bits >= kMinQuantBits && bits <= kMaxQuantBits,
                       "spec.mixed_precision.mean_weight_bits", bits,
                       absl::StrCat(kMinQuantBits, " to ", kMaxQuantBits));
  }
  if (options.has_size_bytes()) {
    violations.Require(options.size_bytes() >= 1, "spec.mixed_precision.size_bytes",
                       options.size_bytes(), "1 or more");
  }
  if (options.has_bit_operations()) {
    violations.Require(std::isfinite(options.bit_operations()) && options.bit_operations() > 0,
                       "spec.mixed_precision.bit_operations", options.bit_operations(),
                       "larger than 0");
  }
}

void CheckMixedPrecision(const v1::JobSpec& spec, Violations& violations) {
  const v1::MixedPrecisionOptions& options = spec.mixed_precision();
  CheckBudget(options, violations);
  CheckBits("spec.mixed_precision.candidate_bits", options.candidate_bits(), violations);
  if (options.candidate_bits_size() == 1) {
    violations.Add("spec.mixed_precision.candidate_bits",
                   "has one entry; allowed: two or more, or none for 2 to 8");
  }
  if (!spec.sensitivity().bits().empty()) {
    violations.Add("spec.sensitivity.bits",
                   "has no effect in MODE_MIXED_PRECISION, which measures "
                   "mixed_precision.candidate_bits; leave it out");
  }
}

// A part of the spec that only other modes use. One that is there but empty does no harm.
template <typename Part>
void Refuse(const Part& part, const std::string& field, const std::string& modes,
            Violations& violations) {
  if (part.ByteSizeLong() == 0) return;
  violations.Add(field, absl::StrCat("has no effect outside ", modes, "; leave it out"));
}

}  // namespace

void CheckModeOptions(const v1::JobSpec& spec, Violations& violations) {
  const bool mixed = spec.mode() == v1::MODE_MIXED_PRECISION;
  if (mixed) {
    CheckMixedPrecision(spec, violations);
  } else {
    Refuse(spec.mixed_precision(), "spec.mixed_precision", "MODE_MIXED_PRECISION", violations);
  }
  if (mixed || spec.mode() == v1::MODE_SENSITIVITY) {
    const v1::SensitivityOptions& options = spec.sensitivity();
    CheckBits("spec.sensitivity.bits", options.bits(), violations);
    if (options.has_max_examples()) {
      violations.Require(options.max_examples() >= 1, "spec.sensitivity.max_examples",
                         options.max_examples(), "1 or more");
    }
  } else {
    Refuse(spec.sensitivity(), "spec.sensitivity", "MODE_SENSITIVITY and MODE_MIXED_PRECISION",
           violations);
  }
  if (spec.ptq().correct_bias() && spec.ptq().adaptive_rounding()) {
    violations.Add("spec.ptq.correct_bias",
                   "has no effect beside adaptive_rounding, which leaves it nothing to correct; "
                   "leave it out");
  }
  if (spec.mode() != v1::MODE_PTQ) Refuse(spec.ptq(), "spec.ptq", "MODE_PTQ", violations);
}

}  // namespace quantry::server
