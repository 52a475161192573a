#ifndef QUANTRY_WORKER_ENGINE_DATA_CIFAR_DATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_CIFAR_DATASET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset_uri.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// Opens cifar10:///folder or cifar100:///folder, the binary versions
// (https://www.cs.toronto.edu/~kriz/cifar.html): records of one label byte (CIFAR-100: coarse, then
// fine) and 3072 bytes, the red, green and blue planes of 32 x 32 pixels, rows from the top.
// Training: every data_batch_*.bin, or train.bin; else test_batch.bin, or test.bin. Labels are read
// at opening, pixels when asked for. INVALID_ARGUMENT, naming file and offset: a file that is no
// whole number of records, a label beyond the classes. Other errors: see OpenDataset.
absl::StatusOr<std::unique_ptr<Dataset>> OpenCifar(const DatasetUri& uri,
                                                   const DatasetOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_CIFAR_DATASET_H_
