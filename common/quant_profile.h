#ifndef QUANTRY_COMMON_QUANT_PROFILE_H_
#define QUANTRY_COMMON_QUANT_PROFILE_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry {

// What a runtime that serves quantized models can run, and how it computes. The instances are the
// lines of a table in quant_profile.cc.
struct QuantProfile {
  absl::string_view name;  // as in quant_config
  int min_bits = 2;        // of weights and activations
  int max_bits = 16;
  bool asymmetric = false;  // zero points other than 0 (or, for unsigned integers, the middle)
  absl::Span<const absl::string_view> weight_dtypes;
  absl::Span<const absl::string_view> activation_dtypes;
  // Rounding, gradients and start values are the reference's (engine: UseReference). Else halves
  // are rounded to the even neighbour and gradients masked outside the threshold.
  bool follows_reference = false;
};

// Of a name of SupportedProfiles(); null for another.
const QuantProfile* FindQuantProfile(absl::string_view name);

}  // namespace quantry

#endif  // QUANTRY_COMMON_QUANT_PROFILE_H_
