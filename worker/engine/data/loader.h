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

// How fast a loader is and how long it was waited for, since it was made.
struct LoaderStats {
  int64_t examples = 0;         // read, corrupt ones included
  double decode_seconds = 0.0;  // spent on them, summed over the threads
  double wait_seconds = 0.0;    // spent in Next() by the caller
  int threads = 1;

  // Examples per second that the threads could deliver; 0: none were read.
  double capacity() const {
    return decode_seconds > 0.0 ? static_cast<double>(examples) * threads / decode_seconds : 0.0;
  }
  LoaderStats operator-(const LoaderStats& before) const {
    return {examples - before.examples, decode_seconds - before.decode_seconds,
            wait_seconds - before.wait_seconds, threads};
  }
};

// Whether an error of Loader::Next says that too many examples are corrupt.
bool IsTooCorrupt(const absl::Status& status);

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
  // INVALID_ARGUMENT if an option is out of range, or of pictures while the dataset holds arrays.
  // `dataset` is shared with the threads.
  static absl::StatusOr<std::unique_ptr<Loader>> Create(std::shared_ptr<const Dataset> dataset,
                                                        const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  const Dataset& dataset() const;

  // Examples used in one epoch: the dataset's size or max_examples, whichever is smaller.
  int64_t num_examples() const;

  // Batches in one epoch.
  int64_t num_batches() const;

  // Goes to batch `first_batch`, in [0, num_batches()], of `epoch`, >= 0; what was decoded ahead is
  // dropped. Needed before the first Next().
  // With `shard`, only its rows of every batch are decoded and handed over. A batch none of whose
  // rows are left comes with 0 rows then, so that all processes count the same batches.
  absl::Status StartEpoch(int64_t epoch, int64_t first_batch = 0, Shard shard = {});

  // The next batch, or nullopt at the end of the epoch. Corrupt examples are left out; a batch of
  // nothing else is passed over. INVALID_ARGUMENT (IsTooCorrupt) when more different examples were
  // corrupt than max_corrupt_fraction allows, naming the first; else the dataset's error.
  absl::StatusOr<std::optional<Batch>> Next();

  // Names and reasons of the corrupt examples met so far, each once, in order of index; the
  // first 20. num_corrupt() counts all of them.
  std::vector<std::string> CorruptPictures() const;
  int64_t num_corrupt() const;

  LoaderStats Stats() const;

 private:
  class Impl;
  explicit Loader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_LOADER_H_
