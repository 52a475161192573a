#ifndef QUANTRY_SERVER_RPC_ADMIN_SERVICE_H_
#define QUANTRY_SERVER_RPC_ADMIN_SERVICE_H_

#include "quantry/v1/admin_service.grpc.pb.h"
#include "server/rpc/authenticator.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/control_state.h"
#include "server/store/quota_store.h"
#include "server/store/token_store.h"

namespace quantry::server {

// quantry.v1.AdminService. Thread-safe; the references must outlive it.
class AdminService final : public v1::AdminService::Service {
 public:
  AdminService(TokenStore& tokens, QuotaStore& quotas, ControlState& state,
               Authenticator& authenticator, CallGate& gate)
      : tokens_(tokens),
        quotas_(quotas),
        state_(state),
        authenticator_(authenticator),
        gate_(gate) {}

  grpc::Status CreateToken(grpc::ServerContext* context, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override;
  grpc::Status ListTokens(grpc::ServerContext* context, const v1::ListTokensRequest* request,
                          v1::ListTokensResponse* response) override;
  grpc::Status RevokeToken(grpc::ServerContext* context, const v1::RevokeTokenRequest* request,
                           v1::RevokeTokenResponse* response) override;

  grpc::Status SetQuota(grpc::ServerContext* context, const v1::SetQuotaRequest* request,
                        v1::Quota* response) override;
  grpc::Status ListQuotas(grpc::ServerContext* context, const v1::ListQuotasRequest* request,
                          v1::ListQuotasResponse* response) override;
  grpc::Status DrainWorker(grpc::ServerContext* context, const v1::DrainWorkerRequest* request,
                           v1::DrainWorkerResponse* response) override;

 private:
  TokenStore& tokens_;
  QuotaStore& quotas_;
  ControlState& state_;
  Authenticator& authenticator_;
  CallGate& gate_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_ADMIN_SERVICE_H_
