#include "client/cli/admin_commands.h"

#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/admin_client.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/text_table.h"

namespace quantry::client {
namespace {

AdminClient Connect(const CliContext& context) {
  return AdminClient(context.channel, {.retry = context.Retry()});
}

std::string RoleText(v1::Role role) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Role_Name(role), "ROLE_"));
}

std::string TokenTable(const v1::ListTokensResponse& tokens) {
  TextTable table({{"TOKEN"}, {"PRINCIPAL"}, {"ROLE"}, {"NAMESPACES"}, {"CREATED"}, {"EXPIRES"}});
  for (const v1::Token& token : tokens.tokens()) {
    table.AddRow({std::string(absl::StripPrefix(token.name(), "tokens/")), token.principal(),
                  RoleText(token.role()),
                  token.namespaces().empty() ? "all" : absl::StrJoin(token.namespaces(), ","),
                  FormatDateTime(token.create_time()),
                  token.has_expire_time() ? FormatDateTime(token.expire_time()) : "never"});
  }
  return table.Render();
}

}  // namespace

int RunCreateToken(const CreateTokenOptions& options, const CliContext& context) {
  v1::CreateTokenRequest request;
  request.set_principal(options.principal);
  v1::Role role = v1::ROLE_UNSPECIFIED;
  v1::Role_Parse(absl::StrCat("ROLE_", absl::AsciiStrToUpper(options.role)), &role);
  request.set_role(role);
  for (const std::string& name : options.namespaces) request.add_namespaces(name);
  if (options.ttl_hours > 0) {
    request.mutable_ttl()->set_seconds(static_cast<int64_t>(options.ttl_hours * 3600));
  }
  const auto created = Connect(context).CreateToken(request);
  if (!created.ok()) return context.Fail(created.status());
  if (context.json) {
    std::cout << ToJsonLine(*created) << '\n';
    return kExitOk;
  }
  // The secret alone on standard output, so that it can be sent to a file.
  std::cerr << created->token().name() << " for " << created->token().principal() << ", role "
            << RoleText(created->token().role()) << ". This is the only time that it is shown:\n";
  std::cout << created->secret() << '\n';
  return kExitOk;
}

int RunListTokens(const CliContext& context) {
  const auto tokens = Connect(context).ListTokens();
  if (!tokens.ok()) return context.Fail(tokens.status());
  if (context.json) {
    for (const v1::Token& token : tokens->tokens()) std::cout << ToJsonLine(token) << '\n';
  } else if (tokens->tokens().empty()) {
    std::cout << "No tokens. Make one with: " << context.program << " admin token create --help\n";
  } else {
    std::cout << TokenTable(*tokens);
  }
  return kExitOk;
}

int RunRevokeToken(const std::string& token, const CliContext& context) {
  const std::string name =
      absl::StartsWith(token, "tokens/") ? token : absl::StrCat("tokens/", token);
  const auto revoked = Connect(context).RevokeToken(name);
  if (!revoked.ok()) return context.Fail(revoked.status());
  if (!context.json) std::cout << name << " is revoked; servers refuse it within 10 s\n";
  return kExitOk;
}

int RunSetQuota(const SetQuotaOptions& options, const CliContext& context) {
  v1::Quota quota;
  quota.set_namespace_(options.name_space);
  quota.set_weight(options.weight);
  if (options.max_devices.has_value()) quota.set_max_devices(*options.max_devices);
  if (options.max_waiting_jobs.has_value()) quota.set_max_waiting_jobs(*options.max_waiting_jobs);
  const auto set = Connect(context).SetQuota(quota);
  if (!set.ok()) return context.Fail(set.status());
  if (context.json) {
    std::cout << ToJsonLine(*set) << '\n';
  } else {
    std::cout << "The quota of " << set->namespace_() << " is set\n";
  }
  return kExitOk;
}

int RunListQuotas(const CliContext& context) {
  const auto quotas = Connect(context).ListQuotas();
  if (!quotas.ok()) return context.Fail(quotas.status());
  if (context.json) {
    for (const v1::Quota& quota : quotas->quotas()) std::cout << ToJsonLine(quota) << '\n';
    return kExitOk;
  }
  if (quotas->quotas().empty()) {
    std::cout << "No quotas: all namespaces have weight 1 and no limits\n";
    return kExitOk;
  }
  TextTable table({{"NAMESPACE"}, {"WEIGHT"}, {"MAX DEVICES"}, {"MAX WAITING"}});
  const auto limit = [](bool has, int32_t value) {
    return has ? absl::StrCat(value) : std::string("none");
  };
  for (const v1::Quota& quota : quotas->quotas()) {
    table.AddRow({quota.namespace_(), absl::StrCat(quota.weight() == 0 ? 1 : quota.weight()),
                  limit(quota.has_max_devices(), quota.max_devices()),
                  limit(quota.has_max_waiting_jobs(), quota.max_waiting_jobs())});
  }
  std::cout << table.Render();
  return kExitOk;
}

namespace {

int Drain(const std::string& worker, bool undo, const CliContext& context) {
  const std::string name =
      absl::StartsWith(worker, "workers/") ? worker : absl::StrCat("workers/", worker);
  const auto drained = Connect(context).DrainWorker(name, undo);
  if (!drained.ok()) return context.Fail(drained.status());
  if (context.json) return kExitOk;
  std::cout << name
            << (undo ? " takes jobs again\n"
                     : " takes no further job; what it runs goes on. See: quantry capabilities\n");
  return kExitOk;
}

}  // namespace

int RunDrain(const std::string& worker, const CliContext& context) {
  return Drain(worker, false, context);
}

int RunUndrain(const std::string& worker, const CliContext& context) {
  return Drain(worker, true, context);
}

}  // namespace quantry::client
