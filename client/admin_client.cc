#include "client/admin_client.h"

#include <utility>

#include "client/transfer/unary_call.h"

namespace quantry::client {

using Stub = v1::AdminService::StubInterface;

AdminClient::AdminClient(std::shared_ptr<grpc::Channel> channel, JobClientOptions options)
    : channel_(std::move(channel)),
      options_(options),
      admin_(v1::AdminService::NewStub(channel_)) {}

template <typename Request, typename Response>
absl::StatusOr<Response> AdminClient::Call(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                        const Request&, Response*),
                                           const Request& request) const {
  return UnaryCall<Response>(*channel_, options_.retry, options_.call_timeout,
                             [&](grpc::ClientContext* context, Response* response) {
                               return (admin_.get()->*method)(context, request, response);
                             });
}

absl::StatusOr<v1::CreateTokenResponse> AdminClient::CreateToken(
    const v1::CreateTokenRequest& request) const {
  return Call(&Stub::CreateToken, request);
}

absl::StatusOr<v1::ListTokensResponse> AdminClient::ListTokens() const {
  return Call(&Stub::ListTokens, v1::ListTokensRequest());
}

absl::StatusOr<v1::RevokeTokenResponse> AdminClient::RevokeToken(const std::string& name) const {
  v1::RevokeTokenRequest request;
  request.set_name(name);
  return Call(&Stub::RevokeToken, request);
}

}  // namespace quantry::client
