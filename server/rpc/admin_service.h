#ifndef QUANTRY_SERVER_RPC_ADMIN_SERVICE_H_
#define QUANTRY_SERVER_RPC_ADMIN_SERVICE_H_

#include "common/clock.h"
#include "quantry/v1/admin_service.grpc.pb.h"
#include "server/rpc/authenticator.h"
#include "server/rpc/call_gate.h"
#include "server/store/token_store.h"

namespace quantry::server {

// quantry.v1.AdminService. Thread-safe; the references must outlive it.
class AdminService final : public v1::AdminService::Service {
 public:
  AdminService(TokenStore& tokens, Authenticator& authenticator, CallGate& gate, const Clock& clock)
      : tokens_(tokens), authenticator_(authenticator), gate_(gate), clock_(clock) {}

  grpc::Status CreateToken(grpc::ServerContext* context, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override;
  grpc::Status ListTokens(grpc::ServerContext* context, const v1::ListTokensRequest* request,
                          v1::ListTokensResponse* response) override;
  grpc::Status RevokeToken(grpc::ServerContext* context, const v1::RevokeTokenRequest* request,
                           v1::RevokeTokenResponse* response) override;

 private:
  TokenStore& tokens_;
  Authenticator& authenticator_;
  CallGate& gate_;
  const Clock& clock_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_ADMIN_SERVICE_H_
