#include "server/server_command.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace quantry::server {
namespace {

constexpr int kUsageError = 2;
constexpr size_t kMinRootToken = 32;

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

void AddSecurityOptions(CLI::App& app, ServerCommand& command, std::string& root_token_file) {
  ServerOptions& server = command.server;
  app.add_option("--tls-cert", server.tls.certificate,
                 "PEM file with the server's certificate and its chain; read again when it changes")
      ->envname("QUANTRY_TLS_CERT");
  app.add_option("--tls-key", server.tls.key, "PEM file with the certificate's key")
      ->envname("QUANTRY_TLS_KEY");
  app.add_option("--tls-client-ca", server.tls.client_ca,
                 "PEM file of who signs client certificates, named ROLE:NAME[@NAMESPACE,...]")
      ->envname("QUANTRY_TLS_CLIENT_CA");
  app.add_option("--root-token-file", root_token_file,
                 "file with a token of at least 32 characters that may do everything, to make the "
                 "first tokens with: quantry admin token create")
      ->envname("QUANTRY_ROOT_TOKEN_FILE");
  app.add_flag("--allow-insecure", server.allow_insecure,
               "listen where other machines can reach it without TLS and authentication")
      ->envname("QUANTRY_ALLOW_INSECURE");
  app.add_option("--calls-per-second", server.calls_per_second,
                 "most calls of each principal but workers; 0: no limit")
      ->envname("QUANTRY_CALLS_PER_SECOND")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--upload-bytes-per-day", server.upload_bytes_per_day,
                 "most new bytes of each principal but workers; 0: no limit")
      ->envname("QUANTRY_UPLOAD_BYTES_PER_DAY")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--audit-log", server.audit_log,
                 "file to which a line is added for every change and every refusal")
      ->envname("QUANTRY_AUDIT_LOG");
}

// Callers are asked who they are as soon as there is a way for them to tell.
absl::Status ReadRootToken(const std::string& path, ServerOptions& options) {
  options.authentication.required = !path.empty() || !options.tls.client_ca.empty();
  if (path.empty()) return absl::OkStatus();
  QUANTRY_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  const absl::string_view token = absl::StripAsciiWhitespace(content);
  if (token.size() < kMinRootToken) {
    return absl::InvalidArgumentError(
        absl::StrCat("the root token in ", path, " has ", token.size(),
                     " characters; allowed: 32 or more, such as: openssl rand -hex 32"));
  }
  options.authentication.root_token_sha256 = Sha256Hex(std::string(token));
  return absl::OkStatus();
}

}  // namespace

std::optional<ServerCommand> ParseServerCommand(int argc, const char* const* argv, int& exit_code) {
  ServerCommand command;
  command.server.metrics = "127.0.0.1:9464";
  double lease_seconds = absl::ToDoubleSeconds(command.server.lease_duration);
  double retention_hours = absl::ToDoubleHours(command.server.retention);
  std::string data_dir;
  std::string blobs;
  std::string root_token_file;

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
  AddSecurityOptions(app, command, root_token_file);
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
  const absl::Status secured = ReadRootToken(root_token_file, command.server);
  if (!secured.ok()) {
    std::cerr << "quantry-server: " << secured.message() << '\n';
    exit_code = kUsageError;
    return std::nullopt;
  }
  return command;
}

}  // namespace quantry::server
