#ifndef QUANTRY_SERVER_RPC_RPC_CALL_H_
#define QUANTRY_SERVER_RPC_RPC_CALL_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/rpc/server_metrics.h"

namespace quantry::server {

// What every call has around it: runs `body`, records rate, errors and duration under `method`
// ("JobService/CreateJob"), counts rejected stale writes, logs errors that are the server's fault,
// and maps the status.
grpc::Status RunCall(ServerMetrics& metrics, const std::string& method,
                     absl::FunctionRef<absl::Status()> body);

// The same for a call with one answer: stores the value of `body` in `response`.
template <typename Response, typename Body>
grpc::Status RunUnary(ServerMetrics& metrics, const std::string& method, Response* response,
                      Body&& body) {
  return RunCall(metrics, method, [&]() -> absl::Status {
    absl::StatusOr<Response> result = body();
    if (!result.ok()) return result.status();
    *response = *std::move(result);
    return absl::OkStatus();
  });
}

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_RPC_CALL_H_
