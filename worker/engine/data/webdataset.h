#ifndef QUANTRY_WORKER_ENGINE_DATA_WEBDATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_WEBDATASET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset_uri.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// Opens wds:///shard-{000..009}.tar, wds:///shard.tar, or all *.tar of a folder: tar files in the
// layout of WebDataset, KEY.jpg (.jpeg, .png) and KEY.cls next to each other, KEY reaching to the
// first dot of the file name. A .cls file is a whole number or a name. Other members of a sample
// are passed over. Shards are indexed when opened (see IndexTar) and labels read; pictures are read
// when asked for. Errors name shard and offset; see OpenDataset.
absl::StatusOr<std::unique_ptr<Dataset>> OpenWebDataset(const DatasetUri& uri,
                                                        const DatasetOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_WEBDATASET_H_
