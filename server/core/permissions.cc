#include "server/core/permissions.h"

#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

constexpr bool kYes = true;
constexpr bool kNo = false;

constexpr MethodRule kRules[] = {
    // method, viewer, submitter, admin, worker, changes
    {"JobService/GetJob", kYes, kYes, kYes, kNo, kNo},
    {"JobService/ListJobs", kYes, kYes, kYes, kNo, kNo},
    {"JobService/WatchJob", kYes, kYes, kYes, kNo, kNo},
    {"JobService/CreateJob", kNo, kYes, kYes, kNo, kYes},
    {"JobService/CancelJob", kNo, kYes, kYes, kNo, kYes},
    {"JobService/PauseJob", kNo, kYes, kYes, kNo, kYes},
    {"JobService/ResumeJob", kNo, kYes, kYes, kNo, kYes},
    {"JobService/RetryJob", kNo, kYes, kYes, kNo, kYes},
    {"JobService/DeleteJob", kNo, kYes, kYes, kNo, kYes},
    {"JobService/UndeleteJob", kNo, kYes, kYes, kNo, kYes},
    {"BlobService/StartUpload", kNo, kYes, kYes, kYes, kNo},
    {"BlobService/Upload", kNo, kYes, kYes, kYes, kNo},
    {"BlobService/QueryWriteStatus", kNo, kYes, kYes, kYes, kNo},
    {"BlobService/Download", kYes, kYes, kYes, kYes, kNo},
    {"CapabilityService/GetCapabilities", kYes, kYes, kYes, kYes, kNo},
    {"WorkerService/RegisterWorker", kNo, kNo, kNo, kYes, kYes},
    {"WorkerService/AcquireLease", kNo, kNo, kNo, kYes, kNo},
    {"WorkerService/Heartbeat", kNo, kNo, kNo, kYes, kNo},
    {"WorkerService/ReportEvents", kNo, kNo, kNo, kYes, kNo},
    {"WorkerService/FinishAttempt", kNo, kNo, kNo, kYes, kNo},
    {"AdminService/CreateToken", kNo, kNo, kYes, kNo, kYes},
    {"AdminService/ListTokens", kNo, kNo, kYes, kNo, kNo},
    {"AdminService/RevokeToken", kNo, kNo, kYes, kNo, kYes},
    {"AdminService/SetQuota", kNo, kNo, kYes, kNo, kYes},
    {"AdminService/ListQuotas", kNo, kNo, kYes, kNo, kNo},
    {"AdminService/DrainWorker", kNo, kNo, kYes, kNo, kYes},
};

struct RoleOf {
  v1::Role role;
  bool MethodRule::*allowed;
};

constexpr RoleOf kRoles[] = {
    {v1::ROLE_VIEWER, &MethodRule::viewer},
    {v1::ROLE_SUBMITTER, &MethodRule::submitter},
    {v1::ROLE_ADMIN, &MethodRule::admin},
    {v1::ROLE_WORKER, &MethodRule::worker},
};

std::string RoleName(v1::Role role) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Role_Name(role), "ROLE_"));
}

}  // namespace

absl::Span<const MethodRule> MethodRules() { return kRules; }

const MethodRule* FindMethodRule(absl::string_view method) {
  const auto* found =
      absl::c_find_if(kRules, [&](const MethodRule& rule) { return rule.method == method; });
  return found == std::end(kRules) ? nullptr : found;
}

absl::Status CheckRole(const Principal& who, const MethodRule& rule) {
  std::vector<std::string> allowed;
  for (const RoleOf& entry : kRoles) {
    if (!(rule.*entry.allowed)) continue;
    if (entry.role == who.role) return absl::OkStatus();
    allowed.push_back(RoleName(entry.role));
  }
  return MakeError(absl::StatusCode::kPermissionDenied, "ROLE_DENIED",
                   absl::StrCat(who.name, " has the role ", RoleName(who.role), "; ", rule.method,
                                " is for: ", absl::StrJoin(allowed, ", ")));
}

}  // namespace quantry::server
