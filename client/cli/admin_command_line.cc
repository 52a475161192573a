#include "client/cli/admin_command_line.h"

#include <CLI/CLI.hpp>
#include <string>

#include "client/cli/admin_commands.h"

namespace quantry::client {
namespace {

void AddTokenCommands(CLI::App& admin, CommandLine& line) {
  CLI::App& token = *admin.add_subcommand("token", "Who may call the server");
  token.require_subcommand(1);
  CLI::App& create = *token.add_subcommand("create", "Make a token and show it, once");
  const auto options = MakeOptions<CreateTokenOptions>();
  create.add_option("--principal", options->principal, "Who bears it, e.g. ana or gpu-7")
      ->required();
  create
      .add_option("--role", options->role,
                  "viewer: see jobs; submitter: and submit and change them; admin: everything;\n"
                  "worker: take jobs, nothing else")
      ->required()
      ->check(CLI::IsMember({"viewer", "submitter", "admin", "worker"}));
  create
      .add_option("--namespace", options->namespaces,
                  "Whose jobs it is good for; may be repeated; none: all")
      ->allow_extra_args(false);
  create.add_option("--ttl-hours", options->ttl_hours, "How long it is good; default: for ever")
      ->check(CLI::PositiveNumber);
  create.callback([&line, options] {
    line.action = [&line, options] { return RunCreateToken(*options, line.context); };
  });
  token.add_subcommand("list", "Show all tokens, without their texts")->callback([&line] {
    line.action = [&line] { return RunListTokens(line.context); };
  });
  CLI::App& revoke = *token.add_subcommand("revoke", "End a token");
  const auto id = MakeOptions<std::string>();
  revoke.add_option("token", *id, "Its ID, as 'quantry admin token list' shows it")->required();
  revoke.callback(
      [&line, id] { line.action = [&line, id] { return RunRevokeToken(*id, line.context); }; });
}

void AddQuotaCommands(CLI::App& admin, CommandLine& line) {
  CLI::App& quota = *admin.add_subcommand("quota", "What namespaces may have");
  quota.require_subcommand(1);
  CLI::App& set = *quota.add_subcommand("set", "Set a namespace's quota, as a whole");
  const auto options = MakeOptions<SetQuotaOptions>();
  set.add_option("namespace", options->name_space, "Whose")->required();
  set.add_option("--weight", options->weight, "Share of the devices beside other namespaces")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  set.add_option("--max-devices", options->max_devices, "In use at a time; default: no limit")
      ->check(CLI::NonNegativeNumber);
  set.add_option("--max-waiting-jobs", options->max_waiting_jobs, "Default: no limit")
      ->check(CLI::NonNegativeNumber);
  set.callback([&line, options] {
    line.action = [&line, options] { return RunSetQuota(*options, line.context); };
  });
  quota.add_subcommand("list", "Show the quotas that were set")->callback([&line] {
    line.action = [&line] { return RunListQuotas(line.context); };
  });
}

void AddWorkerCommand(CLI::App& admin, CommandLine& line, const std::string& name,
                      const std::string& help, int (*run)(const std::string&, const CliContext&)) {
  CLI::App& command = *admin.add_subcommand(name, help);
  const auto worker = MakeOptions<std::string>();
  command.add_option("worker", *worker, "Its ID, as 'quantry capabilities' shows it")->required();
  command.callback([&line, worker, run] {
    line.action = [&line, worker, run] { return run(*worker, line.context); };
  });
}

}  // namespace

void AddAdmin(CLI::App& app, CommandLine& line) {
  CLI::App& admin = *app.add_subcommand("admin", "Run the deployment");
  admin.require_subcommand(1);
  AddTokenCommands(admin, line);
  AddQuotaCommands(admin, line);
  AddWorkerCommand(admin, line, "drain", "Let a worker take no further job", RunDrain);
  AddWorkerCommand(admin, line, "undrain", "Let a drained worker take jobs again", RunUndrain);
}

}  // namespace quantry::client
