#ifndef QUANTRY_CLIENT_CLI_JOB_COMMANDS_H_
#define QUANTRY_CLIENT_CLI_JOB_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/cli_context.h"

namespace quantry::client {

// The commands that ask about jobs or change them. Each returns the exit code. `job` is "ID" or
// "jobs/ID".

struct ListOptions {
  std::vector<std::string> states;  // "queued", "running", ...; empty: all
  int64_t limit = 50;               // 0: no limit
  std::string filter;               // as ListJobs takes it; empty: all
  std::string order_by;             // empty: newest first
  std::string name_space;           // empty: all that the caller may see
  bool show_deleted = false;
};
int RunList(const ListOptions& options, const CliContext& context);

int RunGet(const std::string& job, const CliContext& context);

int RunCancel(const std::string& job, const CliContext& context);
int RunPause(const std::string& job, const CliContext& context);
int RunResume(const std::string& job, const CliContext& context);
int RunRetry(const std::string& job, const CliContext& context);
int RunDelete(const std::string& job, const CliContext& context);
int RunUndelete(const std::string& job, const CliContext& context);

struct LogsOptions {
  std::string job;
  bool follow = false;  // wait for more until the job ends
};
int RunLogs(const LogsOptions& options, const CliContext& context);

int RunCapabilities(const CliContext& context);

// The versions of this program and, where it answers, of the server.
int RunVersion(const CliContext& context);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_JOB_COMMANDS_H_
