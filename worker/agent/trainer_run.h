#ifndef QUANTRY_WORKER_AGENT_TRAINER_RUN_H_
#define QUANTRY_WORKER_AGENT_TRAINER_RUN_H_

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/process.h"
#include "quantry/v1/trainer.pb.h"

namespace quantry::agent {

// What a trainer is asked while it runs.
enum class StopRequest {
  kNone,
  kTerminate,  // SIGTERM: save and go; SIGKILL after the grace period
  kKill,       // at once
};

struct TrainerRunOptions {
  std::filesystem::path trainer;        // the program
  std::filesystem::path spec_file;      // a TrainerSpec as protobuf JSON
  std::filesystem::path output_folder;  // where checkpoint and artifacts go
  absl::Duration stop_grace = absl::Seconds(10);
  // Processes that train together, >= 1: each is a rank, told so by the variables that torchrun
  // sets.
  int ranks = 1;
  // When one rank ends, the others get so long to end by themselves.
  absl::Duration rank_grace = absl::Seconds(15);
  // Asked about 20 times a second; a request stays once made. Required.
  std::function<StopRequest()> stop;
  // Whether the receiver is behind: the trainer's pipes are left alone then. May be null.
  std::function<bool()> is_behind;
  // Gets rank 0's progress, metrics, log and checkpoint events as they come, and each line of any
  // rank's output as a log event. Required.
  std::function<void(v1::TrainerEvent)> on_event;
};

// How a trainer ended. Of several ranks: as rank 0 if all is well; else as the one that failed
// first, not as those that ended because of it. A rank that ends without a word, unless it was told
// to, is a failure with reason RANK_LOST.
struct TrainerOutcome {
  ExitStatus exit;
  StopRequest asked = StopRequest::kNone;  // the strongest request that was made
  std::optional<v1::Result> result;        // present exactly if it said that it succeeded
  std::vector<v1::Artifact> artifacts;
  std::optional<v1::Failure> failure;  // if it said that it failed
  std::string last_words;              // the end of its output
  absl::Status events;                 // DATA_LOSS: its event stream was cut or no event stream
};

// Exit codes of quantry-trainer.
inline constexpr int kTrainerInterrupted = 3;  // by SIGTERM, after writing a checkpoint

// Runs one trainer, or all its ranks, to the end, on the calling thread, which must not end before.
// An error means that it could not be started.
absl::StatusOr<TrainerOutcome> RunTrainer(const TrainerRunOptions& options);

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_TRAINER_RUN_H_
