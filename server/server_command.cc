#include "server/server_command.h"

#include <CLI/CLI.hpp>
#include <string>

#include "absl/strings/match.h"

namespace quantry::server {
namespace {

constexpr int kUsageError = 2;

// HOST:PORT with a port in [0, 65535].
std::string CheckAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  const std::string allowed = "'" + address + "' is no HOST:PORT with a port from 0 to 65535";
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) return allowed;
  int64_t port = 0;
  for (const char c : address.substr(colon + 1)) {
    if (c < '0' || c > '9') return allowed;
    port = port * 10 + (c - '0');
    if (port > 65535) return allowed;
  }
  return "";
}

// The value is not repeated: it may hold a password.
std::string CheckDatabase(const std::string& url) {
  const bool known = absl::StartsWith(url, "postgresql://") || absl::StartsWith(url, "postgres://");
  return known ? "" : "it must begin with postgresql://";
}

}  // namespace

std::optional<ServerCommand> ParseServerCommand(int argc, const char* const* argv, int& exit_code) {
  ServerCommand command;
  command.server.metrics = "127.0.0.1:9464";
  double lease_seconds = absl::ToDoubleSeconds(command.server.lease_duration);
  double retention_hours = absl::ToDoubleHours(command.server.retention);
  std::string data_dir;
  std::string blobs;

  CLI::App app("Control plane of Quantry: jobs, queue, leases, artifacts.", "quantry-server");
  app.set_version_flag("--version", "quantry-server " QUANTRY_VERSION);
  app.add_option("--listen", command.server.listen, "HOST:PORT of the gRPC API; port 0: any free")
      ->envname("QUANTRY_LISTEN")
      ->check(CheckAddress)
      ->capture_default_str();
  app.add_option("--metrics", command.server.metrics, "HOST:PORT of Prometheus' endpoint")
      ->envname("QUANTRY_METRICS")
      ->check(CheckAddress)
      ->capture_default_str();
  app.add_option("--data-dir", data_dir, "folder of the database and the blobs")
      ->envname("QUANTRY_DATA_DIR")
      ->required();
  app.add_option("--database", command.database,
                 "postgresql://USER@HOST/NAME, which several servers may share; default: a SQLite "
                 "file in the data folder")
      ->envname("QUANTRY_DATABASE")
      ->check(CheckDatabase);
  app.add_option("--blobs", blobs,
                 "folder of the blobs, which all servers of a database must share; default: the "
                 "data folder")
      ->envname("QUANTRY_BLOBS");
  app.add_option("--retention", retention_hours,
                 "hours after which nothing is left of a deleted job")
      ->envname("QUANTRY_RETENTION")
      ->check(CLI::Range(0.0, 87600.0))
      ->capture_default_str();
  app.add_option("--lease-duration", lease_seconds,
                 "seconds after which a silent worker loses its job")
      ->envname("QUANTRY_LEASE_DURATION")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  app.add_option("--max-upload-bytes", command.server.max_upload_bytes,
                 "largest blob that can be uploaded")
      ->envname("QUANTRY_MAX_UPLOAD_BYTES")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 50))
      ->capture_default_str();
  app.add_option("--log-format", command.log.format, "text or json")
      ->envname("QUANTRY_LOG_FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--log-level", command.log.level, "debug, info, warning or error")
      ->envname("QUANTRY_LOG_LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? 0 : kUsageError;
    return std::nullopt;
  }
  command.server.lease_duration = absl::Seconds(lease_seconds);
  command.server.retention = absl::Hours(retention_hours);
  command.data_dir = data_dir;
  command.blobs = blobs;
  return command;
}

}  // namespace quantry::server
