#ifndef QUANTRY_SERVER_RPC_JOB_REQUESTS_H_
#define QUANTRY_SERVER_RPC_JOB_REQUESTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quantry/v1/job_service.pb.h"
#include "server/core/job_query.h"
#include "server/core/job_record.h"

namespace quantry::server {

// Checks and translates the parts of client requests that are not the spec.

// OK for an empty id or a UUID4 ("xxxxxxxx-xxxx-4xxx-[89ab]xxx-xxxxxxxxxxxx", hex digits of either
// case); INVALID_ARGUMENT otherwise.
absl::Status CheckRequestId(const std::string& request_id);

// INVALID_ARGUMENT for a wrong page size, token, state, namespace, filter or order.
absl::StatusOr<JobQuery> ParseListRequest(const v1::ListJobsRequest& request);

// The token of the page that follows this job in `order`; good for the same request only.
std::string MakePageToken(const v1::ListJobsRequest& request, const JobOrder& order,
                          const JobRecord& last);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_JOB_REQUESTS_H_
