#include "server/rpc/authenticator.h"

#include <grpc/grpc_security_constants.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

constexpr absl::Duration kKnownFor = absl::Seconds(10);
constexpr size_t kMaxKnown = 10'000;
constexpr absl::string_view kScheme = "Bearer ";

absl::Status Unauthenticated(absl::string_view reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, reason, message);
}

// The text behind "authorization: Bearer "; empty if there is none.
absl::string_view BearerToken(const grpc::ServerContext& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return {};
  const absl::string_view value(found->second.data(), found->second.size());
  return absl::StartsWithIgnoreCase(value, kScheme) ? value.substr(kScheme.size()) : "";
}

// The common name of the client's certificate, which TLS has verified; empty if there is none.
std::string CommonName(const grpc::ServerContext& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return "";
  const auto values = auth->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
  return values.empty() ? "" : std::string(values[0].data(), values[0].size());
}

}  // namespace

absl::StatusOr<Principal> Authenticator::Authenticate(const grpc::ServerContext& context) {
  if (!options_.required) return Anyone();
  const absl::string_view token = BearerToken(context);
  if (!token.empty()) return FromToken(token);
  const std::string name = CommonName(context);
  if (name.empty()) {
    return Unauthenticated("NO_CREDENTIALS",
                           "this server wants to know who calls; send 'authorization: Bearer "
                           "TOKEN' (quantry: --token-file or QUANTRY_TOKEN), or a client "
                           "certificate");
  }
  std::optional<Principal> principal = PrincipalFromCommonName(name);
  if (principal.has_value()) return *std::move(principal);
  return Unauthenticated("BAD_CERTIFICATE",
                         absl::StrCat("the certificate's common name is '", name.substr(0, 80),
                                      "'; allowed: ROLE:NAME or ROLE:NAME@NAMESPACE,NAMESPACE"));
}

absl::StatusOr<Principal> Authenticator::FromToken(absl::string_view text) {
  const std::string sha256 = Sha256Hex(std::string(text));
  if (sha256 == options_.root_token_sha256) {
    return Principal{.name = "root", .role = v1::ROLE_ADMIN};
  }
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<TokenRecord> token, LookUp(sha256));
  if (!token.has_value()) {
    return Unauthenticated("BAD_TOKEN", "the token is unknown or was revoked; ask for a new one");
  }
  if (token->expire_time <= clock_.Now()) {
    return Unauthenticated("TOKEN_EXPIRED",
                           absl::StrCat("the token expired at ",
                                        absl::FormatTime(token->expire_time, absl::UTCTimeZone()),
                                        "; ask for a new one"));
  }
  return token->principal;
}

absl::StatusOr<std::optional<TokenRecord>> Authenticator::LookUp(const std::string& sha256) {
  const absl::Duration now = clock_.Monotonic();
  {
    absl::MutexLock lock(&mutex_);
    const auto found = known_.find(sha256);
    if (found != known_.end() && found->second.until > now) return found->second.token;
  }
  QUANTRY_ASSIGN_OR_RETURN(std::optional<TokenRecord> token, tokens_->Find(sha256));
  absl::MutexLock lock(&mutex_);
  // Callers may make up as many tokens as they like.
  if (known_.size() >= kMaxKnown) known_.clear();
  known_[sha256] = {.token = token, .until = now + kKnownFor};
  return token;
}

void Authenticator::Forget() {
  absl::MutexLock lock(&mutex_);
  known_.clear();
}

}  // namespace quantry::server
