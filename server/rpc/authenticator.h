#ifndef QUANTRY_SERVER_RPC_AUTHENTICATOR_H_
#define QUANTRY_SERVER_RPC_AUTHENTICATOR_H_

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "grpcpp/grpcpp.h"
#include "server/core/principal.h"
#include "server/store/token_store.h"

namespace quantry::server {

// Finds out who calls: by bearer token, else by the client's certificate. Thread-safe.
class Authenticator {
 public:
  struct Options {
    // False: every caller is Anyone().
    bool required = false;
    // SHA-256 of a token that is ADMIN whatever the store holds, to make the first ones with;
    // empty: none.
    std::string root_token_sha256;
  };

  // `tokens` and `clock` must outlive this; `tokens` may be null where nothing is required.
  Authenticator(Options options, TokenStore* tokens, const Clock& clock)
      : options_(std::move(options)), tokens_(tokens), clock_(clock) {}

  // UNAUTHENTICATED with reason NO_CREDENTIALS, BAD_TOKEN, TOKEN_EXPIRED or BAD_CERTIFICATE; the
  // store's error where a token can't be looked up.
  absl::StatusOr<Principal> Authenticate(const grpc::ServerContext& context);

  // Forgets what was looked up: after a token has been revoked here. Other servers do so within 10
  // s.
  void Forget() ABSL_LOCKS_EXCLUDED(mutex_);

  bool required() const { return options_.required; }

 private:
  struct Known {
    std::optional<TokenRecord> token;
    absl::Duration until;  // monotonic
  };

  absl::StatusOr<Principal> FromToken(absl::string_view text);
  absl::StatusOr<std::optional<TokenRecord>> LookUp(const std::string& sha256)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  TokenStore* const tokens_;
  const Clock& clock_;
  absl::Mutex mutex_;
  std::map<std::string, Known> known_ ABSL_GUARDED_BY(mutex_);  // by SHA-256
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_AUTHENTICATOR_H_
