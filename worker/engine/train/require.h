#ifndef QUANTRY_WORKER_ENGINE_TRAIN_REQUIRE_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_REQUIRE_H_

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry::engine {

// What the Validate functions of the training options share.

// INVALID_ARGUMENT "FIELD is VALUE; it must be ALLOWED" unless `condition`.
inline absl::Status Require(bool condition, absl::string_view field, double value,
                            absl::string_view allowed) {
  if (condition) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, "; it must be ", allowed));
}

inline absl::Status RequirePositive(absl::string_view field, double value) {
  return Require(value > 0.0 && std::isfinite(value), field, value, "larger than 0");
}

inline absl::Status RequireNotNegative(absl::string_view field, double value) {
  return Require(value >= 0.0 && std::isfinite(value), field, value, "at least 0");
}

// The line of `table` with that name, or null.
template <typename Def>
const Def* FindByName(absl::Span<const Def> table, absl::string_view name) {
  for (const Def& def : table) {
    if (def.name == name) return &def;
  }
  return nullptr;
}

// INVALID_ARGUMENT that lists the names of `table`.
template <typename Def>
absl::Status UnknownName(absl::string_view field, absl::string_view name,
                         absl::Span<const Def> table) {
  const auto quote = [](std::string* out, const Def& def) {
    absl::StrAppend(out, "'", def.name, "'");
  };
  return absl::InvalidArgumentError(absl::StrCat(field, " is '", name, "'; it must be one of ",
                                                 absl::StrJoin(table, ", ", quote)));
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_REQUIRE_H_
