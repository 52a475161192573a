#ifndef QUANTRY_SERVER_CORE_TOKEN_H_
#define QUANTRY_SERVER_CORE_TOKEN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/core/principal.h"

namespace quantry::server {

// What the server keeps of a bearer token. Its text is 256 random bits, so that a plain SHA-256 is
// as good as it gets: there is nothing that a slow hash would protect from guessing.
struct TokenRecord {
  std::string id;      // 16 hex digits
  std::string sha256;  // of the text
  Principal principal;
  absl::Time create_time;
  absl::Time expire_time = absl::InfiniteFuture();
};

// "quantry_" and 43 characters of base64url.
std::string NewTokenText();

// A record for `text` as the request asks; INVALID_ARGUMENT names what is wrong with it.
absl::StatusOr<TokenRecord> MakeToken(const v1::CreateTokenRequest& request,
                                      const std::string& text, absl::Time now);

// As clients see it.
v1::Token ToProto(const TokenRecord& token);

// The id in "tokens/ID"; INVALID_ARGUMENT if it is not of that form.
absl::StatusOr<std::string> ParseTokenName(absl::string_view name);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_TOKEN_H_
