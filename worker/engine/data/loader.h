#ifndef QUANTRY_WORKER_ENGINE_DATA_LOADER_H_
#define QUANTRY_WORKER_ENGINE_DATA_LOADER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/data/batch.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/loader_options.h"

namespace quantry::engine {

// Which rows of every batch a process takes: of n rows those from n * index / count up to
// n * (index + 1) / count. All together are the batch, none is in two.
struct Shard {
  int64_t index = 0;  // in [0, count)
  int64_t count = 1;  // >= 1
};

// Turns a dataset into batches of tensors, decoded by threads of its own ahead of use.
//
//   QUANTRY_ASSIGN_OR_RETURN(auto loader, Loader::Create(dataset, options));
//   for (int64_t epoch = ...) {
//     QUANTRY_RETURN_IF_ERROR(loader->StartEpoch(epoch, /*first_batch=*/0));
//     while (true) {
//       QUANTRY_ASSIGN_OR_RETURN(std::optional<Batch> batch, loader->Next());
//       if (!batch) break;
//
// Batch k of epoch e depends on (dataset, options, e, k) alone, neither on the number of threads
// nor on timing nor on where the epoch was entered, so that a run resumed at (e, k) sees the same
// bytes. Memory: at most options.prefetch batches wait. Used from one thread at a time; may be
// destroyed in any state.
class Loader {
 public:
  // INVALID_ARGUMENT if an option is out of range. `dataset` is shared with the threads.
  static absl::StatusOr<std::unique_ptr<Loader>> Create(std::shared_ptr<const Dataset> dataset,
                                                        const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Pictures used in one epoch: the dataset's size or max_examples, whichever is smaller.
  int64_t num_examples() const;

  // Batches in one epoch.
  int64_t num_batches() const;

  // Goes to batch `first_batch`, in [0, num_batches()], of `epoch`, >= 0; what was decoded ahead is
  // dropped. Needed before the first Next().
  // With `shard`, only its rows of every batch are decoded and handed over. A batch none of whose
  // rows are left comes with 0 rows then, so that all processes count the same batches.
  absl::Status StartEpoch(int64_t epoch, int64_t first_batch = 0, Shard shard = {});

  // The next batch, or nullopt at the end of the epoch. Corrupt pictures are left out; a batch of
  // nothing else is passed over. INVALID_ARGUMENT when more different pictures were corrupt than
  // max_corrupt_fraction allows, naming the first; else the dataset's error.
  absl::StatusOr<std::optional<Batch>> Next();

  // Names and reasons of the corrupt pictures met so far, each picture once, in order of index; the
  // first 20. num_corrupt() counts all of them.
  std::vector<std::string> CorruptPictures() const;
  int64_t num_corrupt() const;

 private:
  class Impl;
  explicit Loader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_LOADER_H_
