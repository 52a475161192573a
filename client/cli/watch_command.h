#ifndef QUANTRY_CLIENT_CLI_WATCH_COMMAND_H_
#define QUANTRY_CLIENT_CLI_WATCH_COMMAND_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>

#include "client/cli/cli_context.h"
#include "client/cli/watch_view.h"
#include "client/job_client.h"

namespace quantry::client {

struct WatchOptions {
  std::string job;                 // "ID" or "jobs/ID"
  int64_t after_sequence = 0;      // >= 0
  double reconnect_seconds = 600;  // how long a lost connection is looked for; > 0
};

// `quantry watch`: follows a job to its end and writes its result. Returns the exit code.
int RunWatch(const WatchOptions& options, const CliContext& context);

// Follows `options.job` with `view`. With the job's end: kExitOk, kExitFailed or kExitCancelled,
// and `final_job` as it ended. Otherwise (Ctrl-C, an error) has written to standard error what
// happened and what to do, and leaves `final_job` alone.
ExitCode FollowJob(const JobClient& client, const WatchOptions& options, const CliContext& context,
                   WatchView& view, v1::Job& final_job);

// The view that suits a stream: redrawn lines on a terminal, plain lines elsewhere. `fd` is the
// stream's file descriptor.
std::unique_ptr<WatchView> MakeTextView(std::ostream& out, int fd);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_WATCH_COMMAND_H_
