#ifndef QUANTRY_CLIENT_CLI_CLI_CONTEXT_H_
#define QUANTRY_CLIENT_CLI_CLI_CONTEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cli/exit_code.h"
#include "client/job_client.h"
#include "client/transfer/channel_options.h"

namespace quantry::client {

inline constexpr absl::string_view kDefaultServer = "localhost:7070";

// What holds for every command.
struct CliContext {
  ChannelOptions server{.address = std::string(kDefaultServer)};
  bool json = false;                       // write protobuf JSON to standard output instead of text
  double retry_seconds = 5;                // how long a server that is away is waited for; >= 0
  std::shared_ptr<grpc::Channel> channel;  // to the server; set before any command runs
  // How the next command is to be written: "quantry", or "quantry --server X" where that was given.
  std::string program = "quantry";

  RetryOptions Retry() const;
  JobClient Connect() const { return JobClient(channel, {.retry = Retry()}); }

  // Writes the error of a call, or of the arguments, to standard error; returns the exit code.
  ExitCode Fail(const absl::Status& status) const;
  ExitCode FailUsage(const absl::Status& status) const;
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_CLI_CONTEXT_H_
