#include "server/store/token_store.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"

namespace quantry::server {
namespace {

using Keep = SqlConnection::Keep;

constexpr char kColumns[] = "id, sha256, principal, role, namespaces, create_time, expire_time";
constexpr int64_t kNever = 0;

TokenRecord FromRow(const SqlStatement& row) {
  TokenRecord token{.id = row.Bytes(0), .sha256 = row.Bytes(1)};
  token.principal = {.name = row.Bytes(2),
                     .role = static_cast<v1::Role>(row.Int(3)),
                     .namespaces = absl::StrSplit(row.Bytes(4), ' ', absl::SkipEmpty())};
  token.create_time = absl::FromUnixMicros(row.Int(5));
  if (row.Int(6) != kNever) token.expire_time = absl::FromUnixMicros(row.Int(6));
  return token;
}

}  // namespace

absl::Status TokenStore::Add(const TokenRecord& token) {
  const bool expires = token.expire_time != absl::InfiniteFuture();
  return database_->Write([&](SqlConnection& connection) {
    return connection
        .Prepare(absl::StrCat("INSERT INTO tokens (", kColumns, ") VALUES (?, ?, ?, ?, ?, ?, ?)"))
        .BindText(token.id)
        .BindText(token.sha256)
        .BindText(token.principal.name)
        .BindInt(token.principal.role)
        .BindText(absl::StrJoin(token.principal.namespaces, " "))
        .BindInt(absl::ToUnixMicros(token.create_time))
        .BindInt(expires ? absl::ToUnixMicros(token.expire_time) : kNever)
        .Run();
  });
}

absl::StatusOr<std::optional<TokenRecord>> TokenStore::Find(const std::string& sha256) {
  std::optional<TokenRecord> found;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      absl::StrCat("SELECT ", kColumns, " FROM tokens WHERE sha256 = ?"), Keep::kStatement,
      [&](SqlStatement& rows) { rows.BindText(sha256); }, [&] { found.reset(); },
      [&](SqlStatement& row) {
        found = FromRow(row);
        return absl::OkStatus();
      }));
  return found;
}

absl::StatusOr<std::vector<TokenRecord>> TokenStore::List() {
  std::vector<TokenRecord> tokens;
  QUANTRY_RETURN_IF_ERROR(database_->ReadRows(
      absl::StrCat("SELECT ", kColumns, " FROM tokens ORDER BY id"), Keep::kStatement,
      [](SqlStatement&) {}, [&] { tokens.clear(); },
      [&](SqlStatement& row) {
        tokens.push_back(FromRow(row));
        return absl::OkStatus();
      }));
  return tokens;
}

absl::StatusOr<bool> TokenStore::Remove(const std::string& id) {
  bool found = false;
  const absl::Status status = database_->Write([&](SqlConnection& connection) -> absl::Status {
    {
      SqlStatement row = connection.Prepare("SELECT 1 FROM tokens WHERE id = ?");
      QUANTRY_ASSIGN_OR_RETURN(found, row.BindText(id).Step());
    }
    return connection.Prepare("DELETE FROM tokens WHERE id = ?").BindText(id).Run();
  });
  QUANTRY_RETURN_IF_ERROR(status);
  return found;
}

}  // namespace quantry::server
