#ifndef QUANTRY_SERVER_RPC_STATUS_MAPPING_H_
#define QUANTRY_SERVER_RPC_STATUS_MAPPING_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace quantry::server {

// The one place where an error becomes a gRPC status: same code and message, and a
// google.rpc.Status with the payloads as details in the "grpc-status-details-bin" trailer.
// ErrorInfo is always there: where the error has none, its reason is the code's name.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_STATUS_MAPPING_H_
