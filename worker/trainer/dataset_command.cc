#include "worker/trainer/dataset_command.h"

#include <unistd.h>

#include <iostream>
#include <utility>

#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "worker/engine/data/dataset_writer.h"
#include "worker/engine/data/open_dataset.h"
#include "worker/trainer/run_command.h"

namespace quantry::trainer {
namespace {

using Json = nlohmann::json;

// What was written: {"split", "folder", "pictures", "classes"}.
absl::StatusOr<Json> WriteSplit(const DatasetCommand& command, engine::Split split,
                                const std::string& name) {
  engine::DatasetOptions data{.split = split};
  data.remote.log = [](absl::string_view line) { std::cerr << line << std::endl; };
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<engine::Dataset> dataset,
                           engine::OpenDataset(command.uri, data));
  engine::DatasetWriterOptions options{.limit = command.limit};
  if (isatty(STDERR_FILENO) != 0) {
    options.progress = [&name](int64_t done, int64_t total) {
      std::cerr << "\r" << name << " " << done << "/" << total << (done == total ? "\n" : "")
                << std::flush;
    };
  }
  const std::filesystem::path folder = command.output / name;
  QUANTRY_ASSIGN_OR_RETURN(const int64_t written, engine::WriteDataset(*dataset, folder, options));
  const size_t classes = dataset->class_names().size();
  if (!command.json) {
    std::cout << folder.string() << ": " << written << " pictures, " << classes << " classes"
              << std::endl;
  }
  return Json{
      {"split", name}, {"folder", folder.string()}, {"pictures", written}, {"classes", classes}};
}

absl::Status WriteSplits(const DatasetCommand& command) {
  Json splits = Json::array();
  if (command.split != "val") {
    QUANTRY_ASSIGN_OR_RETURN(Json train, WriteSplit(command, engine::Split::kTrain, "train"));
    splits.push_back(std::move(train));
  }
  if (command.split != "train") {
    QUANTRY_ASSIGN_OR_RETURN(Json val, WriteSplit(command, engine::Split::kVal, "val"));
    splits.push_back(std::move(val));
  }
  if (command.json) {
    std::cout << Json{{"uri", command.uri}, {"splits", std::move(splits)}}.dump() << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace

int WriteDatasetFiles(const DatasetCommand& command) {
  const absl::Status status = WriteSplits(command);
  if (status.ok()) return kExitOk;
  std::cerr << "quantry-trainer dataset: " << status.message() << std::endl;
  return kExitFailed;
}

}  // namespace quantry::trainer
