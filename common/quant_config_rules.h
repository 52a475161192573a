#ifndef QUANTRY_COMMON_QUANT_CONFIG_RULES_H_
#define QUANTRY_COMMON_QUANT_CONFIG_RULES_H_

#include "absl/status/status.h"
#include "common/quant_config.h"

namespace quantry {

// What no single key of a quant_config can tell: that the profile's runtime can run it, and that
// everything that is set has an effect. INVALID_ARGUMENT names the key, its value and what is
// allowed. Every key alone must be valid already.
absl::Status CheckQuantCombinations(const QuantConfig& config);

}  // namespace quantry

#endif  // QUANTRY_COMMON_QUANT_CONFIG_RULES_H_
