#ifndef QUANTRY_WORKER_ENGINE_DATA_PENDING_BATCH_H_
#define QUANTRY_WORKER_ENGINE_DATA_PENDING_BATCH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/data/batch.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/transform.h"

namespace quantry::engine {

// A batch while its rows are decoded. Different rows may be decoded by different threads at once;
// everything else is for one thread, after all rows are done.
class PendingBatch {
 public:
  // For the examples `examples` of `dataset`, at position `index` of epoch `epoch`.
  // RESOURCE_EXHAUSTED if there is no memory for the tensors.
  static absl::StatusOr<std::shared_ptr<PendingBatch>> Create(int64_t index, int64_t epoch,
                                                              std::vector<int64_t> examples,
                                                              const Dataset& dataset,
                                                              const LoaderOptions& options);

  int64_t rows() const { return static_cast<int64_t>(examples_.size()); }

  // Decodes, augments and stores one row, its randomness from (seed, epoch, example).
  void DecodeRow(int64_t row, const Dataset& dataset, const Transform& transform,
                 const LoaderOptions& options);

  // The rows that were decoded, as a batch (no rows if all are corrupt); the corrupt ones are added
  // to `corrupt` as example -> reason. The first error that is no corruption is returned instead.
  absl::StatusOr<Batch> Finish(const LoaderOptions& options,
                               std::map<int64_t, std::string>* corrupt);

  // Bookkeeping of the loader, under its mutex.
  int64_t next_row = 0;  // the first that no thread has taken
  int64_t rows_done = 0;

 private:
  PendingBatch(int64_t index, int64_t epoch, std::vector<int64_t> examples);

  void Allocate(const Dataset& dataset, const LoaderOptions& options);
  absl::Status ReadRow(int64_t row, const Dataset& dataset, const Transform& transform,
                       const LoaderOptions& options);
  absl::Status ReadPictureRow(int64_t row, const Dataset& dataset, const Transform& transform,
                              const LoaderOptions& options);
  absl::Status ReadArrayRow(int64_t row, const Dataset& dataset);

  const int64_t index_;
  const int64_t epoch_;
  const std::vector<int64_t> examples_;
  std::vector<absl::Status> statuses_;  // by row
  // The picture tensor, or one per array of the dataset: [rows, ...].
  std::vector<at::Tensor> inputs_;
  std::vector<char*> input_bytes_;  // of inputs_
  std::vector<int64_t> row_bytes_;  // of inputs_
  at::Tensor targets_;              // see Batch
  int64_t* labels_ = nullptr;       // of targets_, with classes
  float* target_values_ = nullptr;  // of targets_, with labels or values
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_PENDING_BATCH_H_
