#ifndef QUANTRY_COMMON_LOG_H_
#define QUANTRY_COMMON_LOG_H_

#include <string>

#include "absl/status/status.h"

namespace quantry {

struct LogOptions {
  std::string level = "info";   // "debug", "info", "warning", "error"
  std::string format = "text";  // "text" for people, "json": one object per line
};

// Sets up spdlog's default logger on standard error; call once, at the start of main. Every program
// then logs by spdlog::info("lease acquired job={} attempt={}", ...): an event, then key=value pairs.
// INVALID_ARGUMENT names an unknown level or format.
absl::Status InitLogging(const LogOptions& options);

}  // namespace quantry

#endif  // QUANTRY_COMMON_LOG_H_
