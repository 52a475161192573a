#include "client/transfer/grpc_status.h"

#include "absl/strings/match.h"
#include "google/rpc/status.pb.h"

namespace quantry::client {

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& detail : details.details()) {
      result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
    }
  }
  return result;
}

std::string ReasonOf(const absl::Status& status) {
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  return info.has_value() ? info->reason() : "";
}

bool IsTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return true;
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
      // How gRPC names a connection that broke in the middle of a call.
      return absl::StrContains(status.message(), "Stream removed") ||
             absl::StrContains(status.message(), "RST_STREAM");
    default:
      return false;
  }
}

}  // namespace quantry::client
