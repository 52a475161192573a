#ifndef QUANTRY_CLIENT_TRANSFER_UNARY_CALL_H_
#define QUANTRY_CLIENT_TRANSFER_UNARY_CALL_H_

#include <chrono>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/transfer/backoff.h"
#include "client/transfer/channel.h"
#include "client/transfer/grpc_status.h"
#include "grpcpp/grpcpp.h"

namespace quantry::client {

// Makes a call with one answer, again and again while the server is away (UNAVAILABLE), as `retry`
// says; each try has `timeout`.
template <typename Response>
absl::StatusOr<Response> UnaryCall(
    grpc::Channel& channel, const RetryOptions& retry, absl::Duration timeout,
    const std::function<grpc::Status(grpc::ClientContext*, Response*)>& call) {
  Backoff backoff(retry);
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
    Response response;
    const absl::Status status = FromGrpc(call(&context, &response));
    if (status.ok()) return response;
    if (!absl::IsUnavailable(status) || backoff.Expired()) return status;
    WaitForRetry(channel, backoff.Next(), nullptr);
  }
}

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_TRANSFER_UNARY_CALL_H_
