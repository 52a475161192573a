#ifndef QUANTRY_CLIENT_CLI_ADMIN_COMMAND_LINE_H_
#define QUANTRY_CLIENT_CLI_ADMIN_COMMAND_LINE_H_

#include <CLI/App.hpp>

#include "client/cli/chosen_command.h"

namespace quantry::client {

// Adds "admin" with all that is below it.
void AddAdmin(CLI::App& app, CommandLine& line);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_ADMIN_COMMAND_LINE_H_
