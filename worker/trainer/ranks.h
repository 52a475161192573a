#ifndef QUANTRY_WORKER_TRAINER_RANKS_H_
#define QUANTRY_WORKER_TRAINER_RANKS_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/distributed/rendezvous.h"
#include "worker/trainer/run_options.h"

namespace quantry::trainer {

// The command line's words about the processes that train together; empty ones are taken from the
// environment, under the names that torchrun gives them.
struct RankFlags {
  std::optional<int> rank;        // else RANK
  std::optional<int> world_size;  // else WORLD_SIZE
  std::string rendezvous;         // HOST:PORT; else MASTER_ADDR and MASTER_PORT
};

// This process's place among the ranks.
struct RankPlace {
  engine::RankOptions options;
  int local_size = 1;  // ranks on this machine (LOCAL_WORLD_SIZE), >= 1; all if not told
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// One process alone where nothing is said. The token is that of QUANTRY_RENDEZVOUS_TOKEN, else
// TORCHELASTIC_RUN_ID, else empty. INVALID_ARGUMENT, with reason RANKS_INVALID, names the flag or
// variable, its value and what is allowed.
absl::StatusOr<RankPlace> FindPlace(const RankFlags& flags, const Environment& environment);

// The variables of this process.
std::optional<std::string> ProcessEnvironment(const std::string& name);

// Divides the machine among the ranks on it: threads that the spec leaves open.
void DivideThreads(int local_size, bool threads_given, bool decode_threads_given,
                   RunOptions& options);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_RANKS_H_
