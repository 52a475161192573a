#ifndef QUANTRY_WORKER_ENGINE_DATA_EPOCH_ORDER_H_
#define QUANTRY_WORKER_ENGINE_DATA_EPOCH_ORDER_H_

#include <cstdint>
#include <vector>

#include "worker/engine/data/loader_options.h"

namespace quantry::engine {

// The indices, of `size` pictures, that every epoch uses: all, or max_examples of them chosen by
// seed; ascending. `size` below 2^31.
std::vector<int64_t> ChooseExamples(int64_t size, const LoaderOptions& options);

// `examples` in the order of `epoch`: shuffled by (seed, epoch), or as they are.
std::vector<int64_t> OrderOfEpoch(std::vector<int64_t> examples, int64_t epoch,
                                  const LoaderOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_EPOCH_ORDER_H_
