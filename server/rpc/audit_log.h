#ifndef QUANTRY_SERVER_RPC_AUDIT_LOG_H_
#define QUANTRY_SERVER_RPC_AUDIT_LOG_H_

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace spdlog {
class logger;
}

namespace quantry::server {

// Who changed what, and who was refused: a line of JSON for each, appended to a file. No line holds
// a token, a job's spec or anything else that a caller sent but names. Thread-safe.
class AuditLog {
 public:
  struct Entry {
    std::string principal;  // empty: not known
    std::string peer;       // "ipv4:10.0.0.7:53112"
    std::string method;
    std::string resource;  // "jobs/ID"; empty: none
    std::string request_id;
    std::string code;  // "OK", "PERMISSION_DENIED"
  };

  // Writes to `path`, which it makes; nowhere if it is empty.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(const std::filesystem::path& path);
  ~AuditLog();

  void Write(const Entry& entry);

 private:
  explicit AuditLog(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

  const std::shared_ptr<spdlog::logger> logger_;  // null: no log
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_AUDIT_LOG_H_
