#ifndef QUANTRY_WORKER_AGENT_WORKER_OPTIONS_H_
#define QUANTRY_WORKER_AGENT_WORKER_OPTIONS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/transfer/backoff.h"
#include "client/transfer/channel_options.h"

namespace quantry::agent {

// How a worker runs. Defaults are those of the program's flags.
struct WorkerOptions {
  client::ChannelOptions server{.address = "127.0.0.1:7070"};
  std::filesystem::path data_dir;  // identity, model cache, job folders; one worker's alone
  std::string device = "auto";     // "auto", "cpu" or "cuda:N"
  std::filesystem::path trainer;   // the quantry-trainer program
  // Folders below which datasets of files may lie, and http://, https:// or s3:// URIs below which
  // those may that are fetched; empty: anywhere.
  std::vector<std::string> dataset_roots;
  int64_t cache_bytes = int64_t{20} << 30;  // of the model cache, the last used file apart; >= 0
  int64_t dataset_cache_bytes = int64_t{100} << 30;  // of copies of remote datasets; >= 1
  // From SIGTERM to SIGKILL of a trainer; > 0.
  absl::Duration stop_grace = absl::Seconds(10);
  // After the trainer's end on shutdown: how long its checkpoint may take to upload; >= 0.
  absl::Duration shutdown_upload = absl::Seconds(15);
  // Of one AcquireLease call; in (0, 60 s].
  absl::Duration acquire_wait = absl::Seconds(30);
  // Between repeats while the server is away.
  client::RetryOptions retry = {.max_delay = absl::Seconds(5)};

  // INVALID_ARGUMENT names the first option that is out of its range.
  absl::Status Validate() const;
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_WORKER_OPTIONS_H_
