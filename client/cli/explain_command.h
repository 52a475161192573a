#ifndef QUANTRY_CLIENT_CLI_EXPLAIN_COMMAND_H_
#define QUANTRY_CLIENT_CLI_EXPLAIN_COMMAND_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/cli_context.h"

namespace quantry::client {

// `quantry explain [KEY]`: what the keys of quant_config mean. With `key`, all of that one; empty:
// a table of all. Needs no server. An unknown key is wrong usage and names the nearest.
int RunExplain(const std::string& key, const CliContext& context);

// The texts, in lines of at most `columns` (what is narrower than 60 is taken as 60), each ended by
// '\n'. NOT_FOUND names the nearest key.
absl::StatusOr<std::string> ExplainKeyText(absl::string_view key, size_t columns);
std::string ExplainAllText(size_t columns);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_EXPLAIN_COMMAND_H_
