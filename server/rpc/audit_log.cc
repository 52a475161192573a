#include "server/rpc/audit_log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace quantry::server {

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(const std::filesystem::path& path) {
  if (path.empty()) return std::unique_ptr<AuditLog>(new AuditLog(nullptr));
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
    auto logger = std::make_shared<spdlog::logger>("audit", std::move(sink));
    logger->set_pattern("%v");
    logger->flush_on(spdlog::level::info);
    return std::unique_ptr<AuditLog>(new AuditLog(std::move(logger)));
  } catch (const spdlog::spdlog_ex& error) {
    return absl::UnavailableError(
        absl::StrCat("cannot write the audit log ", path.string(), ": ", error.what()));
  }
}

AuditLog::~AuditLog() = default;

void AuditLog::Write(const Entry& entry) {
  if (logger_ == nullptr) return;
  const nlohmann::ordered_json line = {
      {"time", absl::FormatTime(absl::RFC3339_full, absl::Now(), absl::UTCTimeZone())},
      {"principal", entry.principal},
      {"peer", entry.peer},
      {"method", entry.method},
      {"resource", entry.resource},
      {"request_id", entry.request_id},
      {"code", entry.code}};
  logger_->info(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace quantry::server
