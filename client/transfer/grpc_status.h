#ifndef QUANTRY_CLIENT_TRANSFER_GRPC_STATUS_H_
#define QUANTRY_CLIENT_TRANSFER_GRPC_STATUS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/support/status.h"

namespace quantry::client {

// The error of a call as absl::Status: same code and message, and each google.rpc detail of the
// "grpc-status-details-bin" trailer as a payload under its type URL
// ("type.googleapis.com/google.rpc.ErrorInfo").
absl::Status FromGrpc(const grpc::Status& status);

// The detail of message type T (google::rpc::ErrorInfo, BadRequest, ...) that `status` carries.
template <typename T>
std::optional<T> DetailOf(const absl::Status& status) {
  const auto payload =
      status.GetPayload(absl::StrCat("type.googleapis.com/", T::descriptor()->full_name()));
  T detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

// ErrorInfo's reason ("STALE_LEASE"); empty if there is none.
std::string ReasonOf(const absl::Status& status);

// Whether the same idempotent call may succeed if it is repeated later: the server is away, goes
// down or is overtaken. CANCELLED counts because a server that shuts down cancels its open calls; a
// caller that cancels by itself must look at its own flag first.
bool IsTransient(const absl::Status& status);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_TRANSFER_GRPC_STATUS_H_
