#ifndef QUANTRY_CLIENT_ADMIN_CLIENT_H_
#define QUANTRY_CLIENT_ADMIN_CLIENT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/job_client.h"
#include "quantry/v1/admin_service.grpc.pb.h"

namespace quantry::client {

// What only an administrator may ask. Like JobClient in all else. Thread-safe.
class AdminClient {
 public:
  explicit AdminClient(std::shared_ptr<grpc::Channel> channel, JobClientOptions options = {});

  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const v1::CreateTokenRequest& request) const;
  absl::StatusOr<v1::ListTokensResponse> ListTokens() const;
  // `name`: "tokens/ID".
  absl::StatusOr<v1::RevokeTokenResponse> RevokeToken(const std::string& name) const;

  absl::StatusOr<v1::Quota> SetQuota(const v1::Quota& quota) const;
  absl::StatusOr<v1::ListQuotasResponse> ListQuotas() const;
  // `name`: "workers/ID"; `undo`: it takes jobs again.
  absl::StatusOr<v1::DrainWorkerResponse> DrainWorker(const std::string& name, bool undo) const;

 private:
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::AdminService::StubInterface::*method)(
                                    grpc::ClientContext*, const Request&, Response*),
                                const Request& request) const;

  const std::shared_ptr<grpc::Channel> channel_;
  const JobClientOptions options_;
  const std::unique_ptr<v1::AdminService::StubInterface> admin_;
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_ADMIN_CLIENT_H_
