#include "client/cli/error_report.h"

#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/format.h"
#include "client/transfer/grpc_status.h"

namespace quantry::client {
namespace {

// What a detail says of one field, resource or quota.
struct Violation {
  std::string subject;
  std::string description;
};

std::vector<Violation> ViolationsOf(const absl::Status& status) {
  std::vector<Violation> violations;
  if (const auto detail = DetailOf<google::rpc::BadRequest>(status)) {
    for (const auto& violation : detail->field_violations()) {
      violations.push_back({violation.field(), violation.description()});
    }
  }
  if (const auto detail = DetailOf<google::rpc::PreconditionFailure>(status)) {
    for (const auto& violation : detail->violations()) {
      violations.push_back({violation.subject(), violation.description()});
    }
  }
  if (const auto detail = DetailOf<google::rpc::QuotaFailure>(status)) {
    for (const auto& violation : detail->violations()) {
      violations.push_back({violation.subject(), violation.description()});
    }
  }
  return violations;
}

// The message, unless it is but the list of violations, which follows in a readable form.
std::string Headline(const absl::Status& status, const std::vector<Violation>& violations) {
  const bool is_list =
      !violations.empty() && absl::c_all_of(violations, [&status](const Violation& violation) {
        return absl::StrContains(status.message(), violation.description);
      });
  return is_list ? "the request was refused" : SanitizeLine(status.message());
}

// What to do next; empty where the message says all.
std::string NextStep(const absl::Status& status, absl::string_view server) {
  if (const auto retry = DetailOf<google::rpc::RetryInfo>(status)) {
    const absl::Duration delay = absl::Seconds(retry->retry_delay().seconds()) +
                                 absl::Nanoseconds(retry->retry_delay().nanos());
    if (delay > absl::ZeroDuration()) {
      return absl::StrCat("Try again in ", FormatElapsed(delay), ".\n");
    }
  }
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return absl::StrCat("Is the server at ", server,
                          " running? Start one with\n"
                          "  quantry-server --listen 0.0.0.0:7070 --data-dir DIR\n"
                          "or name another with --server HOST:PORT or QUANTRY_SERVER.\n");
    case absl::StatusCode::kDeadlineExceeded:
      return absl::StrCat("The server at ", server, " did not answer in time; try again.\n");
    case absl::StatusCode::kUnimplemented:
      return absl::StrCat("'quantry --server ", server,
                          " capabilities' shows what this server can do.\n");
    case absl::StatusCode::kDataLoss:
      return "The stored bytes are damaged. Ask who runs the server to look at its data folder.\n";
    default:
      return "";
  }
}

}  // namespace

std::string DescribeError(const absl::Status& status, absl::string_view server) {
  const std::string reason = ReasonOf(status);
  // Without a reason it is the transport that speaks, not the server.
  const std::string context = absl::IsUnavailable(status) && reason.empty()
                                  ? absl::StrCat("no server answers at ", server, ": ")
                                  : "";
  const std::vector<Violation> violations = ViolationsOf(status);
  std::string text = absl::StrCat("error: ", context, Headline(status, violations), " (",
                                  absl::StatusCodeToString(status.code()),
                                  reason.empty() ? "" : ", ", SanitizeLine(reason), ")\n");
  for (const Violation& violation : violations) {
    absl::StrAppend(&text, "  ", SanitizeLine(violation.subject), ": ",
                    SanitizeLine(violation.description), "\n");
  }
  return absl::StrCat(text, NextStep(status, server));
}

ExitCode ExitCodeOf(const absl::Status& status) {
  if (absl::IsUnavailable(status)) return kExitUnreachable;
  // Bytes that changed on their way are nobody's wrong usage.
  const std::string reason = ReasonOf(status);
  const bool damaged = reason == "HASH_MISMATCH" || reason == "SIZE_MISMATCH";
  return absl::IsInvalidArgument(status) && !damaged ? kExitUsage : kExitFailed;
}

}  // namespace quantry::client
