#ifndef QUANTRY_CLIENT_CLI_DOWNLOAD_COMMAND_H_
#define QUANTRY_CLIENT_CLI_DOWNLOAD_COMMAND_H_

#include <string>

#include "client/cli/cli_context.h"

namespace quantry::client {

struct DownloadOptions {
  std::string job;       // "ID" or "jobs/ID"
  std::string output;    // folder; made if it does not exist
  std::string artifact;  // one artifact's name; empty: all
};

// `quantry download`: the artifacts of a job that SUCCEEDED, hash-checked; what was interrupted is
// continued and what is there already is not sent again. Returns the exit code.
int RunDownload(const DownloadOptions& options, const CliContext& context);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_DOWNLOAD_COMMAND_H_
