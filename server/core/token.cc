#include "server/core/token.h"

#include <openssl/rand.h>

#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/job_record.h"
#include "server/core/namespace.h"
#include "server/core/violations.h"

namespace quantry::server {
namespace {

constexpr size_t kSecretBytes = 32;
constexpr size_t kIdLength = 16;
constexpr int kMaxNamespaces = 64;

}  // namespace

std::string NewTokenText() {
  std::string bytes(kSecretBytes, '\0');
  // Without randomness there must be no token.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), kSecretBytes) != 1) std::abort();
  return absl::StrCat("quantry_", absl::WebSafeBase64Escape(bytes));
}

absl::StatusOr<TokenRecord> MakeToken(const v1::CreateTokenRequest& request,
                                      const std::string& text, absl::Time now) {
  Violations violations;
  violations.Require(IsPrincipalName(request.principal()), "principal",
                     absl::StrCat("'", request.principal().substr(0, 80), "'"),
                     "[a-z][a-z0-9_.-]{0,62}");
  violations.Require(v1::Role_IsValid(request.role()) && request.role() != v1::ROLE_UNSPECIFIED,
                     "role", static_cast<int>(request.role()),
                     "ROLE_VIEWER, ROLE_SUBMITTER, ROLE_ADMIN, ROLE_WORKER");
  violations.Require(request.namespaces_size() <= kMaxNamespaces, "namespaces",
                     absl::StrCat("a list of ", request.namespaces_size()), "at most 64");
  violations.Require(request.namespaces().empty() || request.role() != v1::ROLE_WORKER,
                     "namespaces", "given", "none for ROLE_WORKER, which serves all");
  for (const std::string& name : request.namespaces()) {
    violations.Require(IsNamespace(name), "namespaces", absl::StrCat("'", name.substr(0, 80), "'"),
                       "[a-z][a-z0-9-]{0,62}");
  }
  const absl::Duration ttl = FromProto(request.ttl());
  violations.Require(!request.has_ttl() || ttl > absl::ZeroDuration(), "ttl",
                     absl::FormatDuration(ttl), "above 0, or absent");
  QUANTRY_RETURN_IF_ERROR(violations.ToStatus("INVALID_TOKEN"));
  TokenRecord token{.sha256 = Sha256Hex(text), .create_time = now};
  token.id = token.sha256.substr(0, kIdLength);
  token.principal = {.name = request.principal(),
                     .role = request.role(),
                     .namespaces = {request.namespaces().begin(), request.namespaces().end()}};
  if (request.has_ttl()) token.expire_time = now + ttl;
  return token;
}

v1::Token ToProto(const TokenRecord& token) {
  v1::Token proto;
  proto.set_name(absl::StrCat("tokens/", token.id));
  proto.set_principal(token.principal.name);
  proto.set_role(token.principal.role);
  for (const std::string& name : token.principal.namespaces) proto.add_namespaces(name);
  *proto.mutable_create_time() = ToProto(token.create_time);
  if (token.expire_time != absl::InfiniteFuture()) {
    *proto.mutable_expire_time() = ToProto(token.expire_time);
  }
  return proto;
}

absl::StatusOr<std::string> ParseTokenName(absl::string_view name) {
  absl::string_view id = name;
  const bool good = absl::ConsumePrefix(&id, "tokens/") && id.size() == kIdLength &&
                    absl::c_all_of(id, absl::ascii_isxdigit);
  if (good) return std::string(id);
  return BadRequestError(
      "INVALID_NAME",
      {{"name", absl::StrCat("is '", name.substr(0, 80), "'; allowed: tokens/ID")}});
}

}  // namespace quantry::server
