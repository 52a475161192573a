#include "server/rpc/status_mapping.h"

#include <string>

#include "absl/strings/cord.h"
#include "google/rpc/status.pb.h"
#include "server/core/error_details.h"

namespace quantry::server {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(std::string(status.message()));
  const auto add = [&](absl::string_view type_url, const absl::Cord& value) {
    auto* detail = details.add_details();
    detail->set_type_url(std::string(type_url));
    detail->set_value(std::string(value));
  };
  status.ForEachPayload(add);
  if (!ErrorReason(status).has_value()) {
    MakeError(status.code(), absl::StatusCodeToString(status.code()), "").ForEachPayload(add);
  }
  // absl's codes are gRPC's numbers.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      details.SerializeAsString());
}

}  // namespace quantry::server
