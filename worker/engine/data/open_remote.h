#ifndef QUANTRY_WORKER_ENGINE_DATA_OPEN_REMOTE_H_
#define QUANTRY_WORKER_ENGINE_DATA_OPEN_REMOTE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset_uri.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// A reader of files.
using OpenFunction = absl::StatusOr<std::unique_ptr<Dataset>>(const DatasetUri&,
                                                              const DatasetOptions&);

// Opens what `uri` names elsewhere: fetches it to the cache of options.remote, where it is not there
// already, and lets `open` read it. Names of examples are those of the same files in a folder, and
// so are hold-outs. Errors name the URI; see ListObjects and ObjectCache::Fetch.
absl::StatusOr<std::unique_ptr<Dataset>> OpenRemote(const DatasetUri& uri,
                                                    const DatasetOptions& options,
                                                    OpenFunction* open);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_OPEN_REMOTE_H_
