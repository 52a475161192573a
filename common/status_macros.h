#ifndef QUANTRY_COMMON_STATUS_MACROS_H_
#define QUANTRY_COMMON_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

// Returns from the enclosing function if `expr`, an absl::Status, is not OK.
#define QUANTRY_RETURN_IF_ERROR(expr)                              \
  do {                                                             \
    if (absl::Status quantry_status = (expr); !quantry_status.ok()) \
      return quantry_status;                                       \
  } while (false)

#define QUANTRY_CONCAT_INNER(a, b) a##b
#define QUANTRY_CONCAT(a, b) QUANTRY_CONCAT_INNER(a, b)

// QUANTRY_ASSIGN_OR_RETURN(auto x, F()); unwraps an absl::StatusOr or returns its error.
#define QUANTRY_ASSIGN_OR_RETURN(lhs, expr) \
  QUANTRY_ASSIGN_OR_RETURN_INNER(QUANTRY_CONCAT(quantry_statusor_, __LINE__), lhs, expr)
#define QUANTRY_ASSIGN_OR_RETURN_INNER(statusor, lhs, expr) \
  auto statusor = (expr);                                   \
  if (!statusor.ok()) return std::move(statusor).status();  \
  lhs = *std::move(statusor)

namespace quantry {

// The same error with `context` in front of its message: "job jobs/x: file not found". Payloads stay.
inline absl::Status WithContext(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status result(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
    result.SetPayload(type, payload);
  });
  return result;
}

}  // namespace quantry

#endif  // QUANTRY_COMMON_STATUS_MACROS_H_
