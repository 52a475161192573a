#ifndef QUANTRY_WORKER_ENGINE_DATA_BATCH_H_
#define QUANTRY_WORKER_ENGINE_DATA_BATCH_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace quantry::engine {

// Pictures ready for the network, in CPU memory. n <= LoaderOptions::batch_size, >= 1.
struct Batch {
  int64_t index = 0;    // position in the epoch, counted from 0
  at::Tensor images;    // float32 [n, 3, S, S], channels_last, normalised
  at::Tensor labels;    // int64 [n]
  int64_t skipped = 0;  // corrupt pictures left out of this batch
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_BATCH_H_
