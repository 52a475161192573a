#ifndef QUANTRY_SERVER_SERVER_COMMAND_H_
#define QUANTRY_SERVER_SERVER_COMMAND_H_

#include <filesystem>
#include <optional>

#include "common/log.h"
#include "server/rpc/server.h"

namespace quantry::server {

// What quantry-server's command line says.
struct ServerCommand {
  ServerOptions server;
  LogOptions log;
  std::filesystem::path data_dir;
  std::string database;         // libpq URL of PostgreSQL; empty: SQLite in data_dir
  std::filesystem::path blobs;  // folder of the blobs; empty: data_dir
};

// Reads flags and, where one is not given, its environment variable (QUANTRY_LISTEN for --listen).
// Prints help, version or what is wrong and returns nothing where the program is to end, with
// `exit_code` 0 or 2.
std::optional<ServerCommand> ParseServerCommand(int argc, const char* const* argv, int& exit_code);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_SERVER_COMMAND_H_
