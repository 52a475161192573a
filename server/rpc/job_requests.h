#ifndef QUANTRY_SERVER_RPC_JOB_REQUESTS_H_
#define QUANTRY_SERVER_RPC_JOB_REQUESTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quantry/v1/job_service.pb.h"
#include "server/store/job_store.h"

namespace quantry::server {

// Checks and translates the parts of client requests that are not the spec.

// OK for an empty id or a UUID4 ("xxxxxxxx-xxxx-4xxx-[89ab]xxx-xxxxxxxxxxxx", hex digits of either
// case); INVALID_ARGUMENT otherwise.
absl::Status CheckRequestId(const std::string& request_id);

// INVALID_ARGUMENT for a wrong page size, token or state; UNIMPLEMENTED for filter and order_by.
absl::StatusOr<JobStore::Query> ParseListRequest(const v1::ListJobsRequest& request);

// The token of the page that follows the job with this id.
std::string MakePageToken(const std::string& last_id);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_JOB_REQUESTS_H_
