#ifndef QUANTRY_WORKER_ENGINE_DATA_OPEN_DATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_OPEN_DATASET_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/remote/remote_options.h"

namespace quantry::engine {

enum class Split { kTrain, kVal };

struct DatasetOptions {
  // The part to open: "train" or "val" below a folder, or its hold-out; the glyphs' split.
  Split split = Split::kTrain;

  // Folders below which everything that is read, links followed, must lie; and URIs
  // (https://host/path/, s3://bucket/) below which what is fetched must. Empty: anywhere.
  std::vector<std::string> allowed_roots;

  // Labels are indices into this list; a class that is not in it is refused, one that the dataset
  // lacks is not. Give the training
  // set's class_names() when opening the evaluation set from another URI. Empty: the dataset's own
  // classes.
  std::vector<std::string> class_names;

  // How what lies elsewhere is fetched.
  RemoteOptions remote;
};

// Opens the dataset that `uri` names; see docs/datasets.md for schemes and parameters.
// INVALID_ARGUMENT: malformed URI, unknown scheme, unknown or bad parameter, a folder without
// pictures, an empty class folder, fewer than two classes. NOT_FOUND: no such folder.
// PERMISSION_DENIED: outside `allowed_roots`, or not readable. UNAVAILABLE, CANCELLED and others: it
// could not be fetched, see ObjectCache::Fetch. Messages say what to change.
absl::StatusOr<std::unique_ptr<Dataset>> OpenDataset(absl::string_view uri,
                                                     const DatasetOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_OPEN_DATASET_H_
