#include "worker/engine/data/remote/remote_options.h"

#include <cstdlib>

namespace quantry::engine {

std::optional<std::string> EnvironmentOf(const RemoteOptions& options, const std::string& name) {
  if (options.environment) return options.environment(name);
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

bool IsInterrupted(const RemoteOptions& options) {
  return options.interrupted && options.interrupted();
}

void Log(const RemoteOptions& options, absl::string_view line) {
  if (options.log) options.log(line);
}

}  // namespace quantry::engine
