#ifndef QUANTRY_SERVER_CORE_JOB_FILTER_H_
#define QUANTRY_SERVER_CORE_JOB_FILTER_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/core/job_query.h"

namespace quantry::server {

inline constexpr size_t kMaxFilterBytes = 4096;

// Reads a filter in the language of AIP-160 (https://google.aip.dev/160), without its functions and
// bare words: comparisons FIELD OP VALUE, joined by AND, OR, NOT (or -) and parentheses; OR binds
// tighter than AND, as the AIP has it. Operators are = != < <= > >= and `:` ("contains", and
// "labels:KEY" for a label of any value). Values: names of an enum, numbers, RFC 3339 times, words
// or "quoted texts".
//
// INVALID_ARGUMENT with reason INVALID_FILTER, naming the place and what is allowed there.
absl::StatusOr<JobFilter> ParseJobFilter(absl::string_view text);

// Reads "FIELD", "FIELD asc" or "FIELD desc". INVALID_ARGUMENT with reason INVALID_ORDER.
absl::StatusOr<JobOrder> ParseJobOrder(absl::string_view text);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_CORE_JOB_FILTER_H_
