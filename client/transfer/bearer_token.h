#ifndef QUANTRY_CLIENT_TRANSFER_BEARER_TOKEN_H_
#define QUANTRY_CLIENT_TRANSFER_BEARER_TOKEN_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/support/client_interceptor.h"

namespace quantry::client {

using Interceptors =
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>;

// What adds "authorization: Bearer TOKEN" to every call: the token as it is, or what `file` holds,
// which is read again when it changes. Empty without either. An interceptor instead of gRPC's call
// credentials, because those refuse an unencrypted connection, also to this machine.
absl::StatusOr<Interceptors> MakeBearerToken(const std::string& token,
                                             const std::filesystem::path& file);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_TRANSFER_BEARER_TOKEN_H_
