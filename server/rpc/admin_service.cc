#include "server/rpc/admin_service.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"

namespace quantry::server {

grpc::Status AdminService::CreateToken(grpc::ServerContext* context,
                                       const v1::CreateTokenRequest* request,
                                       v1::CreateTokenResponse* response) {
  return gate_.Unary(context, "AdminService/CreateToken", *request, response,
                     [&](const Principal&) -> absl::StatusOr<v1::CreateTokenResponse> {
                       v1::CreateTokenResponse answer;
                       answer.set_secret(NewTokenText());
                       QUANTRY_ASSIGN_OR_RETURN(const TokenRecord token,
                                                MakeToken(*request, answer.secret(), clock_.Now()));
                       QUANTRY_RETURN_IF_ERROR(tokens_.Add(token));
                       *answer.mutable_token() = ToProto(token);
                       return answer;
                     });
}

grpc::Status AdminService::ListTokens(grpc::ServerContext* context,
                                      const v1::ListTokensRequest* request,
                                      v1::ListTokensResponse* response) {
  return gate_.Unary(context, "AdminService/ListTokens", *request, response,
                     [&](const Principal&) -> absl::StatusOr<v1::ListTokensResponse> {
                       QUANTRY_ASSIGN_OR_RETURN(const auto tokens, tokens_.List());
                       v1::ListTokensResponse answer;
                       for (const TokenRecord& token : tokens)
                         *answer.add_tokens() = ToProto(token);
                       return answer;
                     });
}

grpc::Status AdminService::RevokeToken(grpc::ServerContext* context,
                                       const v1::RevokeTokenRequest* request,
                                       v1::RevokeTokenResponse* response) {
  return gate_.Unary(context, "AdminService/RevokeToken", *request, response,
                     [&](const Principal&) -> absl::StatusOr<v1::RevokeTokenResponse> {
                       QUANTRY_ASSIGN_OR_RETURN(const std::string id,
                                                ParseTokenName(request->name()));
                       QUANTRY_ASSIGN_OR_RETURN(const bool found, tokens_.Remove(id));
                       authenticator_.Forget();
                       if (found) return v1::RevokeTokenResponse();
                       return MakeError(absl::StatusCode::kNotFound, "TOKEN_NOT_FOUND",
                                        absl::StrCat(request->name(), " does not exist"));
                     });
}

}  // namespace quantry::server
