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
  // Rounding of halves: away from 0, or else to the even neighbour.
  bool rounds_half_away = false;
  // Whether gradients pass outside the threshold, too.
  bool passes_all_gradients = false;
};

// Of a name of SupportedProfiles(); null for another.
const QuantProfile* FindQuantProfile(absl::string_view name);

}  // namespace quantry

#endif  // QUANTRY_COMMON_QUANT_PROFILE_H_
