#ifndef QUANTRY_CLIENT_CLI_ADMIN_COMMANDS_H_
#define QUANTRY_CLIENT_CLI_ADMIN_COMMANDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/cli_context.h"

namespace quantry::client {

// "quantry admin ...": for who runs the deployment. Each returns the exit code.

struct CreateTokenOptions {
  std::string principal;
  std::string role;  // "viewer", "submitter", "admin", "worker"
  std::vector<std::string> namespaces;
  double ttl_hours = 0;  // 0: the token never expires
};
int RunCreateToken(const CreateTokenOptions& options, const CliContext& context);

int RunListTokens(const CliContext& context);

// `token` is "ID" or "tokens/ID".
int RunRevokeToken(const std::string& token, const CliContext& context);

struct SetQuotaOptions {
  std::string name_space;
  double weight = 1;
  std::optional<int32_t> max_devices;       // none: no limit
  std::optional<int32_t> max_waiting_jobs;  // none: no limit
};
int RunSetQuota(const SetQuotaOptions& options, const CliContext& context);

int RunListQuotas(const CliContext& context);

// `worker` is "ID" or "workers/ID".
int RunDrain(const std::string& worker, const CliContext& context);
int RunUndrain(const std::string& worker, const CliContext& context);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_ADMIN_COMMANDS_H_
