#include "server/rpc/job_requests.h"

#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/job_filter.h"
#include "server/core/job_id.h"
#include "server/core/namespace.h"
#include "server/core/violations.h"

namespace quantry::server {
namespace {

constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1000;
constexpr char kTokenFormat[] = "2";

bool IsUuid4(const std::string& text) {
  constexpr absl::string_view kForm = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
  if (text.size() != kForm.size()) return false;
  for (size_t i = 0; i < kForm.size(); ++i) {
    const char c = absl::ascii_tolower(text[i]);
    switch (kForm[i]) {
      case 'x':
        if (!absl::ascii_isxdigit(c)) return false;
        break;
      case 'y':
        if (c != '8' && c != '9' && c != 'a' && c != 'b') return false;
        break;
      default:
        if (c != kForm[i]) return false;
    }
  }
  return true;
}

// What of a request its page tokens hold good for.
std::string Fingerprint(const v1::ListJobsRequest& request) {
  v1::ListJobsRequest rest = request;
  rest.clear_page_token();
  rest.clear_page_size();
  return Sha256Hex(rest.SerializeAsString()).substr(0, 16);
}

// The value that orders jobs by `field`, in a job.
int64_t OrderNumber(JobField field, const v1::Job& job) {
  switch (field) {
    case JobField::kPriority:
      return job.spec().priority();
    case JobField::kUpdateTime:
      return absl::ToUnixMicros(FromProto(job.update_time()));
    case JobField::kEndTime:
      return job.has_end_time() ? absl::ToUnixMicros(FromProto(job.end_time())) : 0;
    default:
      return 0;
  }
}

// "2/FINGERPRINT/ID/NUMBER/TEXT".
std::optional<JobQuery::After> ReadPageToken(const v1::ListJobsRequest& request) {
  std::string token;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &token)) return std::nullopt;
  const std::vector<std::string> parts = absl::StrSplit(token, absl::MaxSplits('/', 4));
  JobQuery::After after;
  if (parts.size() != 5 || parts[0] != kTokenFormat || parts[1] != Fingerprint(request) ||
      !ParseJobName(JobName(parts[2]), "page_token").ok() ||
      !absl::SimpleAtoi(parts[3], &after.number)) {
    return std::nullopt;
  }
  after.id = parts[2];
  after.text = parts[4];
  return after;
}

void ReadStates(const v1::ListJobsRequest& request, JobQuery& query, Violations& violations) {
  // Each once and in order, whatever was sent: what is kept per query must not grow with requests.
  const std::set<int> states(request.states().begin(), request.states().end());
  for (const int state : states) {
    if (v1::JobState_IsValid(state) && state != v1::JOB_STATE_UNSPECIFIED) {
      query.states.push_back(static_cast<v1::JobState>(state));
      continue;
    }
    violations.Require(false, "states", state, "the states of enum JobState");
    break;  // an answer must not grow with what is wrong
  }
}

}  // namespace

absl::Status CheckRequestId(const std::string& request_id) {
  if (request_id.empty() || IsUuid4(request_id)) return absl::OkStatus();
  return BadRequestError("INVALID_REQUEST_ID",
                         {{"request_id", absl::StrCat("is '", request_id.substr(0, 80),
                                                      "'; allowed: a UUID4, or empty")}});
}

absl::StatusOr<JobQuery> ParseListRequest(const v1::ListJobsRequest& request) {
  Violations violations;
  JobQuery query;
  violations.Require(request.page_size() >= 0 && request.page_size() <= kMaxPageSize, "page_size",
                     request.page_size(), absl::StrCat("0 to ", kMaxPageSize));
  query.limit = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  ReadStates(request, query, violations);
  query.show_deleted = request.show_deleted();
  if (!request.namespace_().empty()) {
    violations.Require(IsNamespace(request.namespace_()), "namespace",
                       absl::StrCat("'", request.namespace_().substr(0, 80), "'"),
                       "[a-z][a-z0-9-]{0,62}, or empty");
    query.namespaces = {request.namespace_()};
  }
  if (!request.page_token().empty()) {
    query.after = ReadPageToken(request);
    if (!query.after.has_value()) {
      violations.Add(
          "page_token",
          "is not one that ListJobs gave for this request; leave it empty to start anew");
    }
  }
  QUANTRY_RETURN_IF_ERROR(violations.ToStatus("INVALID_REQUEST"));
  if (!request.filter().empty()) {
    QUANTRY_ASSIGN_OR_RETURN(query.filter, ParseJobFilter(request.filter()));
  }
  if (!request.order_by().empty()) {
    QUANTRY_ASSIGN_OR_RETURN(query.order, ParseJobOrder(request.order_by()));
  }
  return query;
}

std::string MakePageToken(const v1::ListJobsRequest& request, const JobOrder& order,
                          const JobRecord& last) {
  const std::string text =
      order.field == JobField::kDisplayName ? last.job.spec().display_name() : "";
  return absl::WebSafeBase64Escape(
      absl::StrJoin(std::make_tuple(absl::string_view(kTokenFormat), Fingerprint(request), last.id,
                                    OrderNumber(order.field, last.job), text),
                    "/"));
}

}  // namespace quantry::server
