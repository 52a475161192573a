#ifndef QUANTRY_COMMON_NEAREST_NAME_H_
#define QUANTRY_COMMON_NEAREST_NAME_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry {

// Levenshtein distance in bytes: insertions, deletions and replacements that turn `a` into `b`.
size_t EditDistance(absl::string_view a, absl::string_view b);

// The name of `known` with the least edit distance to `given` (the first among equals). Empty if
// `known` is empty or nothing is near: at most half of the longer name may differ. Names longer
// than 256 bytes are near nothing.
std::string NearestName(absl::string_view given, absl::Span<const absl::string_view> known);

// "; did you mean 'x'?" for error messages, or "" if nothing is near.
std::string DidYouMean(absl::string_view given, absl::Span<const absl::string_view> known);

}  // namespace quantry

#endif  // QUANTRY_COMMON_NEAREST_NAME_H_
