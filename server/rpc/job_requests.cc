#include "server/rpc/job_requests.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/core/error_details.h"
#include "server/core/job_id.h"
#include "server/core/violations.h"

namespace quantry::server {
namespace {

constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1000;
constexpr char kTokenPrefix[] = "1/";  // the token's format

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

absl::Status Reserved(absl::string_view field) {
  return MakeError(absl::StatusCode::kUnimplemented, "FIELD_UNIMPLEMENTED",
                   absl::StrCat(field, " comes with a later release; leave it empty"));
}

}  // namespace

absl::Status CheckRequestId(const std::string& request_id) {
  if (request_id.empty() || IsUuid4(request_id)) return absl::OkStatus();
  return BadRequestError("INVALID_REQUEST_ID",
                         {{"request_id", absl::StrCat("is '", request_id.substr(0, 80),
                                                      "'; allowed: a UUID4, or empty")}});
}

absl::StatusOr<JobStore::Query> ParseListRequest(const v1::ListJobsRequest& request) {
  if (!request.filter().empty()) return Reserved("filter");
  if (!request.order_by().empty()) return Reserved("order_by");
  Violations violations;
  JobStore::Query query;
  violations.Require(request.page_size() >= 0 && request.page_size() <= kMaxPageSize, "page_size",
                     request.page_size(), absl::StrCat("0 to ", kMaxPageSize));
  query.limit = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
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
  if (!request.page_token().empty()) {
    std::string token;
    absl::string_view id;
    if (absl::WebSafeBase64Unescape(request.page_token(), &token)) {
      id = absl::string_view(token);
      if (!absl::ConsumePrefix(&id, kTokenPrefix)) id = {};
    }
    if (ParseJobName(JobName(id), "page_token").ok()) {
      query.before_id = std::string(id);
    } else {
      violations.Add("page_token", "is not one that ListJobs gave; leave it empty to start anew");
    }
  }
  if (absl::Status status = violations.ToStatus("INVALID_REQUEST"); !status.ok()) return status;
  return query;
}

std::string MakePageToken(const std::string& last_id) {
  return absl::WebSafeBase64Escape(absl::StrCat(kTokenPrefix, last_id));
}

}  // namespace quantry::server
