#include "client/transfer/channel_options.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/transfer/bearer_token.h"
#include "client/transfer/channel.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

constexpr char kSystemRoots[] = "/etc/ssl/certs/ca-certificates.crt";
constexpr unsigned kRefreshSeconds = 30;

bool IsThisMachine(absl::string_view address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "localhost:") ||
         absl::StartsWith(address, "[::1]:") || absl::StartsWith(address, "unix:");
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const ChannelOptions& options) {
  namespace tls = grpc::experimental;
  if (!options.UsesTls()) return grpc::InsecureChannelCredentials();
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError(
        "of the client's certificate and its key only one is given; allowed: both or none");
  }
  const std::filesystem::path roots = options.tls_ca.empty() ? kSystemRoots : options.tls_ca;
  for (const auto& file : {roots, options.tls_cert, options.tls_key}) {
    if (!file.empty()) QUANTRY_RETURN_IF_ERROR(ReadFile(file).status());
  }
  const auto provider = std::make_shared<tls::FileWatcherCertificateProvider>(
      options.tls_key.string(), options.tls_cert.string(), roots.string(), kRefreshSeconds);
  tls::TlsChannelCredentialsOptions credentials;
  credentials.set_certificate_provider(provider);
  credentials.watch_root_certs();
  if (!options.tls_cert.empty()) credentials.watch_identity_key_cert_pairs();
  return tls::TlsCredentials(credentials);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ChannelOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(options));
  QUANTRY_ASSIGN_OR_RETURN(auto interceptors, MakeBearerToken(options.token, options.token_file));
  if (!interceptors.empty() && !options.UsesTls() && !IsThisMachine(options.address)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the token would travel to ", options.address,
                     " in plain text; use TLS: --tls, or --tls-ca FILE"));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      options.address, credentials, ChannelArguments(), std::move(interceptors));
}

}  // namespace quantry::client
