#include "server/core/principal.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/core/error_details.h"
#include "server/core/namespace.h"

namespace quantry::server {

bool Principal::MayUse(absl::string_view name_space) const {
  return namespaces.empty() || absl::c_linear_search(namespaces, name_space);
}

std::string Principal::HomeNamespace() const {
  return namespaces.empty() ? std::string(kDefaultNamespace) : namespaces.front();
}

const Principal& Anyone() {
  static const Principal& anyone = *new Principal{.name = "anyone", .role = v1::ROLE_ADMIN};
  return anyone;
}

bool IsPrincipalName(absl::string_view name) {
  if (name.empty() || name.size() > 63 || !absl::ascii_islower(name[0])) return false;
  return absl::c_all_of(name, [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
  });
}

std::optional<Principal> PrincipalFromCommonName(absl::string_view common_name) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(common_name, absl::MaxSplits(':', 1));
  const std::pair<absl::string_view, absl::string_view> rest =
      absl::StrSplit(parts.second, absl::MaxSplits('@', 1));
  Principal principal{.name = std::string(rest.first)};
  if (!v1::Role_Parse(absl::StrCat("ROLE_", absl::AsciiStrToUpper(parts.first)), &principal.role) ||
      principal.role == v1::ROLE_UNSPECIFIED || !IsPrincipalName(principal.name)) {
    return std::nullopt;
  }
  principal.namespaces = absl::StrSplit(rest.second, ',', absl::SkipEmpty());
  if (!absl::c_all_of(principal.namespaces, IsNamespace)) return std::nullopt;
  return principal;
}

absl::Status JobNotVisible(absl::string_view job_name) {
  return MakeError(absl::StatusCode::kPermissionDenied, "JOB_NOT_VISIBLE",
                   absl::StrCat(job_name.substr(0, 80),
                                " does not exist, or is in a namespace that you may not use"));
}

absl::Status CheckNamespace(const Principal& who, absl::string_view name_space) {
  if (who.MayUse(name_space)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied, "NAMESPACE_DENIED",
                   absl::StrCat(who.name, " may not use the namespace '", name_space.substr(0, 80),
                                "'; allowed: ", absl::StrJoin(who.namespaces, ", ")));
}

}  // namespace quantry::server
