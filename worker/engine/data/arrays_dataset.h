#ifndef QUANTRY_WORKER_ENGINE_DATA_ARRAYS_DATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_ARRAYS_DATASET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset_uri.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// arrays:///path: the arrays of a file .npy, .npz or .safetensors or of a folder of .npy files, the
// first axis of which counts examples. `inputs` names those that a model takes, `target` the one
// with the labels, `task` how that is meant. Float inputs that are NaN or infinite make their
// example corrupt. Errors: INVALID_ARGUMENT where arrays are missing, of different lengths, or not
// what the task needs; those of OpenArrayFiles and Select.
absl::StatusOr<std::unique_ptr<Dataset>> OpenArrays(const DatasetUri& uri,
                                                    const DatasetOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_ARRAYS_DATASET_H_
