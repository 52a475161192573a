#ifndef QUANTRY_WORKER_ENGINE_DATA_IMAGE_FOLDER_H_
#define QUANTRY_WORKER_ENGINE_DATA_IMAGE_FOLDER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset_uri.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// Opens file:///path, pictures in a folder per class. If ROOT/train holds folders: ROOT/train/CLASS
// and ROOT/val/CLASS. Else ROOT/CLASS, of which a share is held out for "val", or with split=all
// none. A picture's name is CLASS/FILE. Parameters: see Select. Errors: see OpenDataset.
absl::StatusOr<std::unique_ptr<Dataset>> OpenImageFolder(const DatasetUri& uri,
                                                         const DatasetOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_IMAGE_FOLDER_H_
