#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_REMOTE_OPTIONS_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_REMOTE_OPTIONS_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace quantry::engine {

// How remote datasets are fetched, and where their copies are kept.
struct RemoteOptions {
  // Folder of the copies; processes may share one. Empty: quantry/datasets below XDG_CACHE_HOME,
  // else below HOME/.cache.
  std::filesystem::path cache_folder;
  // What all copies together may take, in bytes, > 0. The least recently used go first.
  int64_t cache_bytes = int64_t{100} << 30;

  // The value of an environment variable; null: this process's.
  std::function<std::optional<std::string>(const std::string&)> environment;
  // Asked several times a second; null: never.
  std::function<bool()> interrupted;
  // Takes lines for people: what is fetched, how long it will take, what is tried again. Null:
  // nobody reads them.
  std::function<void(absl::string_view)> log;
  absl::Duration log_interval = absl::Seconds(10);

  // A connection over which nothing comes for so long is cut; >= 1 s.
  absl::Duration stall_limit = absl::Seconds(30);
  // How often a request is made that fails for a reason that may pass, before it counts as failed;
  // >= 1. Waiting doubles from `first_delay` up to `max_delay`. What brings the download
  // 64 KiB forward starts the count again.
  int attempts = 7;
  absl::Duration first_delay = absl::Milliseconds(500);
  absl::Duration max_delay = absl::Seconds(30);
};

// The parts of `options` that may be null, with what null stands for.
std::optional<std::string> EnvironmentOf(const RemoteOptions& options, const std::string& name);
bool IsInterrupted(const RemoteOptions& options);
void Log(const RemoteOptions& options, absl::string_view line);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_REMOTE_OPTIONS_H_
