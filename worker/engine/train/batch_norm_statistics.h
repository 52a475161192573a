#ifndef QUANTRY_WORKER_ENGINE_TRAIN_BATCH_NORM_STATISTICS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_BATCH_NORM_STATISTICS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Measures the statistics of every BatchNormalization of `graph` anew, in place: mean and variance
// (of n - 1) of its input over the first `batches` batches of epoch 0 of `loader`, or all if there
// are fewer. The network runs as in training, with quantizers fixed (Wu and Johnson, "Rethinking
// 'Batch' in BatchNorm", 2021, section 3). `seed`: of dropout. Leaves the loader at another place.
absl::Status ReestimateBatchNorm(const Graph& graph, Loader& loader, int64_t batches,
                                 uint64_t seed);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_BATCH_NORM_STATISTICS_H_
