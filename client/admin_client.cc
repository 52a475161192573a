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

absl::StatusOr<v1::Quota> AdminClient::SetQuota(const v1::Quota& quota) const {
  v1::SetQuotaRequest request;
  *request.mutable_quota() = quota;
  return Call(&Stub::SetQuota, request);
}

absl::StatusOr<v1::ListQuotasResponse> AdminClient::ListQuotas() const {
  return Call(&Stub::ListQuotas, v1::ListQuotasRequest());
}

absl::StatusOr<v1::DrainWorkerResponse> AdminClient::DrainWorker(const std::string& name,
                                                                 bool undo) const {
  v1::DrainWorkerRequest request;
  request.set_name(name);
  request.set_undo(undo);
  return Call(&Stub::DrainWorker, request);
}

}  // namespace quantry::client
