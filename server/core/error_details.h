#ifndef QUANTRY_SERVER_CORE_ERROR_DETAILS_H_
#define QUANTRY_SERVER_CORE_ERROR_DETAILS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace quantry::server {

// Errors that carry google.rpc details. A detail is a payload of the status: the key is the
// message's type URL, the value the serialised message, so that the gRPC edge copies it as it is.

inline constexpr absl::string_view kErrorDomain = "quantry";

// A field of the request that is wrong: path from the request's root, and what is given and
// allowed.
struct FieldViolation {
  std::string field;
  std::string description;
};

// Extra facts for programs, e.g. {"committed_size", "4096"}.
using ErrorMetadata = std::vector<std::pair<std::string, std::string>>;

// An error with ErrorInfo{reason, "quantry", metadata}. `reason` is UPPER_SNAKE_CASE.
absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                       const ErrorMetadata& metadata = {});

// INVALID_ARGUMENT with BadRequest and ErrorInfo; the message lists the violations, at least one.
absl::Status BadRequestError(absl::string_view reason,
                             const std::vector<FieldViolation>& violations);

// FAILED_PRECONDITION with PreconditionFailure{"STATE", resource} and ErrorInfo.
absl::Status PreconditionError(absl::string_view reason, absl::string_view resource,
                               absl::string_view message);

// RESOURCE_EXHAUSTED with QuotaFailure{subject} and ErrorInfo.
absl::Status QuotaError(absl::string_view reason, absl::string_view subject,
                        absl::string_view message);

// The same error with RequestInfo, by which logs can be searched.
absl::Status WithRequestId(absl::Status status, absl::string_view request_id);

// The same error with RetryInfo: how long to wait before the call is worth repeating.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

// The reason in the status's ErrorInfo, if there is one.
std::optional<std::string> ErrorReason(const absl::Status& status);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_ERROR_DETAILS_H_
