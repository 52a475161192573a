#ifndef QUANTRY_WORKER_ENGINE_TRAIN_CHECKPOINT_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_CHECKPOINT_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/train/optimizer.h"

namespace quantry::engine {

// All that a training run needs to go on bit for bit. Everything random is drawn from (seed, step),
// so the position stands for the state of the generators.
struct Checkpoint {
  // What the run is about (model, data, settings), as readable key and value. A checkpoint only
  // continues a run with the same identity.
  std::map<std::string, std::string> identity;
  // What the run worked out before training, by name, for it alone to read. Need not agree with
  // anything.
  std::map<std::string, std::string> notes;
  int64_t steps_done = 0;  // over all epochs; the next batch is steps_done % steps_per_epoch
  int64_t steps_per_epoch = 1;
  double train_seconds = 0.0;          // spent in training so far
  std::vector<NamedTensor> state;      // parameters and buffers of the graph
  std::vector<NamedTensor> optimizer;  // Optimizer::State()
  std::vector<NamedTensor> gradients;  // of an update whose batches are not all done
  std::vector<NamedTensor> averages;   // WeightAverage::averages(); empty: none are kept
  std::vector<NamedTensor> best;       // BestTracker::State(); empty: there is none
};

// The file: "QNTRYCKP", version and header length as little-endian uint32, a JSON header (identity,
// position, and name, dtype, shape, offset of each tensor), the tensors' bytes contiguous and
// little-endian, and at the end the SHA-256 of everything before it, in hexadecimal.
absl::StatusOr<std::string> SerializeCheckpoint(const Checkpoint& checkpoint);

// DATA_LOSS: cut short, changed, or no checkpoint. FAILED_PRECONDITION: another format version.
absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes);

// The file at `path` is always a whole checkpoint, the old one or the new.
absl::Status WriteCheckpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

// NOT_FOUND if there is no file; else as ParseCheckpoint, naming the path.
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::filesystem::path& path);

// FAILED_PRECONDITION names the first thing in which a checkpoint's identity differs from the
// run's.
absl::Status CheckIdentity(const std::map<std::string, std::string>& checkpoint,
                           const std::map<std::string, std::string>& run);

// Copies the tensors of `from` into those of `to` with the same names, in place.
// FAILED_PRECONDITION names a tensor that is missing, left over, or of another type or shape; then
// nothing was copied.
absl::Status RestoreTensors(const std::vector<NamedTensor>& from,
                            const std::vector<NamedTensor>& to);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_CHECKPOINT_H_
