#ifndef QUANTRY_WORKER_TRAINER_DATASET_COMMAND_H_
#define QUANTRY_WORKER_TRAINER_DATASET_COMMAND_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace quantry::trainer {

struct DatasetCommand {
  std::string uri;
  std::filesystem::path output;
  std::string split = "all";     // "train", "val" or "all"
  std::optional<int64_t> limit;  // pictures of each split; absent: all
  bool json = false;             // one JSON object on standard output instead of a line per split
};

// `quantry-trainer dataset`: writes OUTPUT/train/CLASS/*.png and OUTPUT/val/CLASS/*.png, with
// progress on standard error. Returns the exit code.
int WriteDatasetFiles(const DatasetCommand& command);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_DATASET_COMMAND_H_
