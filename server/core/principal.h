#ifndef QUANTRY_SERVER_CORE_PRINCIPAL_H_
#define QUANTRY_SERVER_CORE_PRINCIPAL_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quantry/v1/admin_service.pb.h"

namespace quantry::server {

// Who makes a call, and what for.
struct Principal {
  std::string name;
  v1::Role role = v1::ROLE_UNSPECIFIED;
  std::vector<std::string> namespaces;  // empty: all

  bool MayUse(absl::string_view name_space) const;
  bool IsRestricted() const { return !namespaces.empty(); }
  // Where the principal's jobs go if it says nothing else.
  std::string HomeNamespace() const;
};

// Everybody, where the server knows no tokens and no certificates: may do everything.
const Principal& Anyone();

// A principal from a certificate's common name "ROLE:NAME" or "ROLE:NAME@NAMESPACE,NAMESPACE", for
// instance "worker:gpu-7" or "submitter:ana@vision". Nothing if it is not of that form.
std::optional<Principal> PrincipalFromCommonName(absl::string_view common_name);

// Whether `name` is of the form [a-z][a-z0-9_.-]{0,62}.
bool IsPrincipalName(absl::string_view name);

// PERMISSION_DENIED with reason JOB_NOT_VISIBLE, the same whether the job belongs to somebody else
// or does not exist: a restricted principal can't find out which.
absl::Status JobNotVisible(absl::string_view job_name);

// PERMISSION_DENIED with reason NAMESPACE_DENIED unless `who` may use it.
absl::Status CheckNamespace(const Principal& who, absl::string_view name_space);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_PRINCIPAL_H_
