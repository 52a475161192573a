#ifndef QUANTRY_WORKER_ENGINE_DATA_CSV_DATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_CSV_DATASET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset_uri.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// Opens csv:///list.csv, a list of picture files and their labels. Without header the first of two
// columns is the path, the second the label; with header=1 the columns named "path" and "label" are
// read and others passed over. Relative paths are below the folder `root` (its fallback: the list's
// own). Every file must exist and lie where DatasetOptions allows. Parameters: docs/datasets.md.
// Errors name file and line; see OpenDataset.
absl::StatusOr<std::unique_ptr<Dataset>> OpenCsv(const DatasetUri& uri,
                                                 const DatasetOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_CSV_DATASET_H_
