#ifndef QUANTRY_WORKER_ENGINE_DATA_IMAGE_FOLDER_H_
#define QUANTRY_WORKER_ENGINE_DATA_IMAGE_FOLDER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/dataset_uri.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// Opens file:///path, pictures in a folder per class. If ROOT/train holds folders: ROOT/train/CLASS
// and ROOT/val/CLASS. Else ROOT/CLASS, of which a share is held out for "val". Parameters: holdout,
// (0, 1), default 0.1: of every class round(holdout * n) pictures, at least one of two, are held
// out: those whose name hashes (SHA-256 of CLASS/FILE) come first. split=all: all of ROOT/CLASS
// whatever the split. Errors: see OpenDataset.
absl::StatusOr<std::unique_ptr<Dataset>> OpenImageFolder(const DatasetUri& uri,
                                                         const DatasetOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_IMAGE_FOLDER_H_
