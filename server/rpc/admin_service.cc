#include "server/rpc/admin_service.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
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
                       QUANTRY_ASSIGN_OR_RETURN(
                           const TokenRecord token,
                           MakeToken(*request, answer.secret(), state_.clock.Now()));
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

grpc::Status AdminService::SetQuota(grpc::ServerContext* context,
                                    const v1::SetQuotaRequest* request, v1::Quota* response) {
  return gate_.Unary(context, "AdminService/SetQuota", *request, response,
                     [&](const Principal&) -> absl::StatusOr<v1::Quota> {
                       QUANTRY_RETURN_IF_ERROR(CheckQuota(request->quota()));
                       QUANTRY_RETURN_IF_ERROR(quotas_.Put(request->quota()));
                       return request->quota();
                     });
}

grpc::Status AdminService::ListQuotas(grpc::ServerContext* context,
                                      const v1::ListQuotasRequest* request,
                                      v1::ListQuotasResponse* response) {
  return gate_.Unary(context, "AdminService/ListQuotas", *request, response,
                     [&](const Principal&) -> absl::StatusOr<v1::ListQuotasResponse> {
                       QUANTRY_ASSIGN_OR_RETURN(const auto quotas, quotas_.List());
                       v1::ListQuotasResponse answer;
                       for (const v1::Quota& quota : quotas) *answer.add_quotas() = quota;
                       return answer;
                     });
}

grpc::Status AdminService::DrainWorker(grpc::ServerContext* context,
                                       const v1::DrainWorkerRequest* request,
                                       v1::DrainWorkerResponse* response) {
  return gate_.Unary(context, "AdminService/DrainWorker", *request, response,
                     [&](const Principal&) -> absl::StatusOr<v1::DrainWorkerResponse> {
                       const std::string id(absl::StripPrefix(request->name(), "workers/"));
                       QUANTRY_ASSIGN_OR_RETURN(const bool found,
                                                state_.jobs.SetDraining(id, !request->undo()));
                       if (!found) {
                         return MakeError(absl::StatusCode::kNotFound, "WORKER_NOT_FOUND",
                                          absl::StrCat("'", request->name().substr(0, 80),
                                                       "' is no worker; allowed: workers/ID"));
                       }
                       state_.workers.SetDraining(id, !request->undo());
                       if (request->undo()) state_.notifier.Notify(kQueueTopic);
                       return v1::DrainWorkerResponse();
                     });
}

}  // namespace quantry::server
