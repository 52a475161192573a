#ifndef QUANTRY_WORKER_TRAINER_RUN_COMMAND_H_
#define QUANTRY_WORKER_TRAINER_RUN_COMMAND_H_

#include <filesystem>
#include <optional>
#include <string>

#include "worker/trainer/ranks.h"

namespace quantry::trainer {

// Exit codes of the program; scripts and the worker rely on them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;        // wrong command line or spec
inline constexpr int kExitInterrupted = 3;  // by SIGTERM or SIGINT, after saving a checkpoint

struct RunCommand {
  std::filesystem::path spec;
  std::filesystem::path output;
  std::optional<int> events_fd;  // absent: lines for people on standard output
  std::string device;            // overrides the spec's; empty: the spec's
  RankFlags ranks;               // the processes that train together
};

// `quantry-trainer --spec FILE --output DIR`: one run, to its exit code. Installs signal handlers.
int RunTraining(const RunCommand& command);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_RUN_COMMAND_H_
