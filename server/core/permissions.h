#ifndef QUANTRY_SERVER_CORE_PERMISSIONS_H_
#define QUANTRY_SERVER_CORE_PERMISSIONS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/core/principal.h"

namespace quantry::server {

// Who may call a method, and what else holds for its calls.
struct MethodRule {
  absl::string_view method;  // "JobService/CreateJob"
  bool viewer = false;
  bool submitter = false;
  bool admin = false;
  bool worker = false;
  bool changes = false;  // goes into the audit log
};

// All methods of the API, one line each.
absl::Span<const MethodRule> MethodRules();

// Never null for a method of the API.
const MethodRule* FindMethodRule(absl::string_view method);

// PERMISSION_DENIED with reason ROLE_DENIED unless the principal's role may call the method.
absl::Status CheckRole(const Principal& who, const MethodRule& rule);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_PERMISSIONS_H_
