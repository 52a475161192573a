#include "client/cli/cli_context.h"

#include <algorithm>
#include <iostream>

#include "client/cli/error_report.h"
#include "client/cli/format.h"
#include "client/transfer/channel.h"

namespace quantry::client {

RetryOptions CliContext::Retry() const {
  RetryOptions retry;
  retry.give_up_after = std::max(absl::Seconds(retry_seconds), absl::Milliseconds(1));
  return retry;
}

ExitCode CliContext::Fail(const absl::Status& status) const {
  std::cerr << DescribeError(status, server.address);
  return ExitCodeOf(status);
}

ExitCode CliContext::FailUsage(const absl::Status& status) const {
  std::cerr << "error: " << SanitizeLine(status.message()) << '\n';
  return kExitUsage;
}

}  // namespace quantry::client
