#include "server/rpc/rpc_call.h"

#include <spdlog/spdlog.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "server/core/error_details.h"
#include "server/rpc/status_mapping.h"

namespace quantry::server {
namespace {

bool IsServersFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kDataLoss ||
         code == absl::StatusCode::kUnknown || code == absl::StatusCode::kResourceExhausted;
}

}  // namespace

grpc::Status RunCall(ServerMetrics& metrics, const std::string& method,
                     absl::FunctionRef<absl::Status()> body) {
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status = body();
  const absl::Duration took = absl::FromChrono(std::chrono::steady_clock::now() - start);
  metrics.RecordRpc(method, absl::StatusCodeToString(status.code()), took);
  if (ErrorReason(status) == "STALE_LEASE") metrics.RecordStaleWrite();
  if (IsServersFault(status.code())) {
    spdlog::error("call failed method={} error=\"{}\"", method, status.ToString());
  } else {
    spdlog::debug("call method={} code={} seconds={:.6f} message=\"{}\"", method,
                  absl::StatusCodeToString(status.code()), absl::ToDoubleSeconds(took),
                  std::string(status.message()));
  }
  return ToGrpcStatus(status);
}

}  // namespace quantry::server
