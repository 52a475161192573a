#include "worker/trainer/dataset_command.h"

#include <unistd.h>

#include <iostream>

#include "common/status_macros.h"
#include "worker/engine/data/dataset_writer.h"
#include "worker/engine/data/open_dataset.h"
#include "worker/trainer/run_command.h"

namespace quantry::trainer {
namespace {

absl::Status WriteSplit(const DatasetCommand& command, engine::Split split,
                        const std::string& name) {
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<engine::Dataset> dataset,
                           engine::OpenDataset(command.uri, {.split = split}));
  engine::DatasetWriterOptions options{.limit = command.limit};
  if (isatty(STDERR_FILENO) != 0) {
    options.progress = [&name](int64_t done, int64_t total) {
      std::cerr << "\r" << name << " " << done << "/" << total << (done == total ? "\n" : "")
                << std::flush;
    };
  }
  const std::filesystem::path folder = command.output / name;
  QUANTRY_ASSIGN_OR_RETURN(const int64_t written, engine::WriteDataset(*dataset, folder, options));
  std::cout << folder.string() << ": " << written << " pictures, " << dataset->class_names().size()
            << " classes" << std::endl;
  return absl::OkStatus();
}

absl::Status WriteSplits(const DatasetCommand& command) {
  if (command.split != "val") {
    QUANTRY_RETURN_IF_ERROR(WriteSplit(command, engine::Split::kTrain, "train"));
  }
  if (command.split == "train") return absl::OkStatus();
  return WriteSplit(command, engine::Split::kVal, "val");
}

}  // namespace

int WriteDatasetFiles(const DatasetCommand& command) {
  const absl::Status status = WriteSplits(command);
  if (status.ok()) return kExitOk;
  std::cerr << "quantry-trainer dataset: " << status.message() << std::endl;
  return kExitFailed;
}

}  // namespace quantry::trainer
