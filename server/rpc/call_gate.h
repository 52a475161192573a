#ifndef QUANTRY_SERVER_RPC_CALL_GATE_H_
#define QUANTRY_SERVER_RPC_CALL_GATE_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "grpcpp/grpcpp.h"
#include "server/core/permissions.h"
#include "server/core/principal.h"
#include "server/core/rate_limiter.h"
#include "server/rpc/audit_log.h"
#include "server/rpc/authenticator.h"
#include "server/rpc/server_metrics.h"

namespace quantry::server {

// What every call goes through: who calls, whether the role may, whether it calls too often; rate,
// errors and duration in the metrics; the audit log; the request id, which is in the answer's
// metadata ("x-request-id", the caller's own if it sent one), in errors and in the log; and the
// status as gRPC wants it. Thread-safe; the references must outlive it.
class CallGate {
 public:
  using Body = absl::FunctionRef<absl::Status(const Principal&)>;

  // `calls_per_second`: of each principal but workers; 0: no limit.
  CallGate(Authenticator& authenticator, double calls_per_second, AuditLog& audit,
           ServerMetrics& metrics, const Clock& clock)
      : authenticator_(authenticator),
        limiter_(calls_per_second, 2 * calls_per_second),
        audit_(audit),
        metrics_(metrics),
        clock_(clock) {}

  // Runs `body` for a call of `method` ("JobService/CreateJob"). `resource`: what the audit log
  // says that it is about, looked at when the call has ended.
  grpc::Status Run(grpc::ServerContext& context, const char* method,
                   absl::FunctionRef<std::string()> resource, Body body);

  // The same for a call with one answer: stores the value of `body` in `response`.
  template <typename Request, typename Response, typename Function>
  grpc::Status Unary(grpc::ServerContext* context, const char* method, const Request& request,
                     Response* response, Function&& body) {
    return Run(
        *context, method, [&] { return ResourceOf(request, *response); },
        [&](const Principal& who) -> absl::Status {
          absl::StatusOr<Response> result = body(who);
          if (!result.ok()) return result.status();
          *response = *std::move(result);
          return absl::OkStatus();
        });
  }

 private:
  absl::StatusOr<Principal> Admit(const grpc::ServerContext& context, const MethodRule& rule);
  // The field `name`, else `worker_id`, of the request, else of the response.
  static std::string ResourceOf(const google::protobuf::Message& request,
                                const google::protobuf::Message& response);

  Authenticator& authenticator_;
  RateLimiter limiter_;
  AuditLog& audit_;
  ServerMetrics& metrics_;
  const Clock& clock_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_CALL_GATE_H_
