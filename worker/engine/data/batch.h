#ifndef QUANTRY_WORKER_ENGINE_DATA_BATCH_H_
#define QUANTRY_WORKER_ENGINE_DATA_BATCH_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace quantry::engine {

// Examples ready for the network, in CPU memory. 1 <= n <= LoaderOptions::batch_size.
struct Batch {
  int64_t index = 0;  // position in the epoch, counted from 0
  // What Executor::Run takes. Pictures: one, float32 [n, 3, S, S], channels_last, normalised.
  // Arrays: [n, ...] each, as LoaderOptions::arrays has them.
  std::vector<at::Tensor> inputs;
  // By TargetKind. kClass: int64 [n]; kMultiLabel: float32 [n, k] of 0 and 1; kValues: float32
  // [n, k]; kNone: undefined.
  at::Tensor targets;
  int64_t skipped = 0;  // corrupt examples left out of this batch

  int64_t size() const { return inputs.empty() ? 0 : inputs.front().size(0); }
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_BATCH_H_
