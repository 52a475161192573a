// Batches of pictures on request, timed: Quantry's side of input_pipeline.py.
//
// Says "ready" after the first batch. Each line "N" on standard input then has N batches read, from
// epoch to epoch, and is answered with the seconds that took.
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

// Batches without end.
class Source {
 public:
  static absl::StatusOr<Source> Open(const std::string& folder, const LoaderOptions& options) {
    QUANTRY_ASSIGN_OR_RETURN(std::shared_ptr<const Dataset> dataset,
                             OpenDataset("file://" + folder, DatasetOptions()));
    QUANTRY_ASSIGN_OR_RETURN(auto loader, Loader::Create(std::move(dataset), options));
    QUANTRY_RETURN_IF_ERROR(loader->StartEpoch(0, /*first_batch=*/0));
    return Source(std::move(loader));
  }

  absl::Status Read(int64_t batches) {
    while (batches > 0) {
      QUANTRY_ASSIGN_OR_RETURN(const std::optional<Batch> batch, loader_->Next());
      if (batch) --batches;
      if (!batch) QUANTRY_RETURN_IF_ERROR(loader_->StartEpoch(++epoch_, /*first_batch=*/0));
    }
    return absl::OkStatus();
  }

 private:
  explicit Source(std::unique_ptr<Loader> loader) : loader_(std::move(loader)) {}

  std::unique_ptr<Loader> loader_;
  int64_t epoch_ = 0;
};

absl::Status Serve(const std::string& folder, const LoaderOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(Source source, Source::Open(folder, options));
  QUANTRY_RETURN_IF_ERROR(source.Read(1));
  std::cout << "ready" << std::endl;
  int64_t batches = 0;
  while (std::cin >> batches) {
    const auto start = std::chrono::steady_clock::now();
    QUANTRY_RETURN_IF_ERROR(source.Read(batches));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::cout << seconds.count() << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace quantry::engine

int main(int argc, char** argv) {
  CLI::App app("Batches of pictures on request, timed");
  std::string folder;
  quantry::engine::LoaderOptions options;
  options.random_flip = true;
  options.shuffle = true;
  options.drop_last = true;
  options.augment.resized_crop_min_area = 0.08;
  app.add_option("--folder", folder, "with a folder of pictures per class below train/")
      ->required();
  app.add_option("--batch", options.batch_size);
  app.add_option("--pixels", options.image_size);
  app.add_option("--workers", options.decode_threads);
  CLI11_PARSE(app, argc, argv);
  at::set_num_threads(1);
  const absl::Status status = quantry::engine::Serve(folder, options);
  if (!status.ok()) std::cerr << status << std::endl;
  return status.ok() ? 0 : 1;
}
