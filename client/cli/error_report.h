#ifndef QUANTRY_CLIENT_CLI_ERROR_REPORT_H_
#define QUANTRY_CLIENT_CLI_ERROR_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/exit_code.h"

namespace quantry::client {

// An error for people: what happened, each violation of google.rpc's details on a line of its own,
// and what to do next. Lines that end in '\n'. `server` is the address that was called.
std::string DescribeError(const absl::Status& status, absl::string_view server);

// The exit code of a call that failed: kExitUnreachable if no server answered, kExitUsage if it
// refused what it was sent as wrong (INVALID_ARGUMENT), else kExitFailed.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_ERROR_REPORT_H_
