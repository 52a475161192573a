#ifndef QUANTRY_CLIENT_CLI_CHOSEN_COMMAND_H_
#define QUANTRY_CLIENT_CLI_CHOSEN_COMMAND_H_

#include <functional>
#include <memory>

#include "client/cli/cli_context.h"

namespace quantry::client {

// The command that was chosen, to be run after the arguments are parsed.
struct CommandLine {
  CliContext context;
  std::function<int()> action;
};

// Options live as long as the closures that fill and use them.
template <typename Options>
std::shared_ptr<Options> MakeOptions() {
  return std::make_shared<Options>();
}

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_CHOSEN_COMMAND_H_
