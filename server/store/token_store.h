#ifndef QUANTRY_SERVER_STORE_TOKEN_STORE_H_
#define QUANTRY_SERVER_STORE_TOKEN_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/token.h"
#include "server/store/sql_database.h"

namespace quantry::server {

// The bearer tokens, in the database of the jobs. Thread-safe. Errors are those of JobStore.
class TokenStore {
 public:
  explicit TokenStore(std::shared_ptr<SqlDatabase> database) : database_(std::move(database)) {}

  absl::Status Add(const TokenRecord& token);
  // The token whose text has this hash, if there is one; it may have expired.
  absl::StatusOr<std::optional<TokenRecord>> Find(const std::string& sha256);
  // All, by id.
  absl::StatusOr<std::vector<TokenRecord>> List();
  // False: there is none with this id.
  absl::StatusOr<bool> Remove(const std::string& id);

 private:
  const std::shared_ptr<SqlDatabase> database_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_TOKEN_STORE_H_
