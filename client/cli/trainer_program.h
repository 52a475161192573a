#ifndef QUANTRY_CLIENT_CLI_TRAINER_PROGRAM_H_
#define QUANTRY_CLIENT_CLI_TRAINER_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantry::client {

// quantry-trainer knows models and datasets; this program does not (it links no LibTorch), and
// hands such commands over to it.

// The trainer's path: $QUANTRY_TRAINER, else beside this program, else in PATH. NOT_FOUND says
// where was looked and what to do.
absl::StatusOr<std::string> FindTrainer();

// Replaces this process by the trainer, which so gets the terminal, signals and the exit code.
// Returns only if that fails.
absl::Status ExecTrainer(const std::vector<std::string>& arguments);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_TRAINER_PROGRAM_H_
