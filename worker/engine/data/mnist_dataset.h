#ifndef QUANTRY_WORKER_ENGINE_DATA_MNIST_DATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_MNIST_DATASET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset_uri.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// Opens mnist:///folder, IDX files of unsigned bytes (http://yann.lecun.com/exdb/mnist/), as they
// are or compressed (.gz): {train,t10k}-images-idx3-ubyte and -labels-idx1-ubyte. Also others of
// that form: Fashion-MNIST, KMNIST, EMNIST. Classes are "0" to the largest training label. All
// pixels are kept in memory: at most 4 GiB. INVALID_ARGUMENT, naming file and offset: no such file,
// cut short or longer than its header says. Other errors: see OpenDataset.
absl::StatusOr<std::unique_ptr<Dataset>> OpenMnist(const DatasetUri& uri,
                                                   const DatasetOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_MNIST_DATASET_H_
