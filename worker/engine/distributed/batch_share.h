#ifndef QUANTRY_WORKER_ENGINE_DISTRIBUTED_BATCH_SHARE_H_
#define QUANTRY_WORKER_ENGINE_DISTRIBUTED_BATCH_SHARE_H_

#include <cstdint>

#include "worker/engine/distributed/collective.h"

namespace quantry::engine {

// The part that this process has of a batch that several divide among them: what operators need to
// compute what one process would with the whole batch.
struct BatchShare {
  Collective& ranks;     // all of which run the same graph now, each on its part
  int64_t first = 0;     // this part's first row in the whole batch
  int64_t rows = 0;      // of this part, >= 1
  int64_t all_rows = 0;  // of the whole batch
  // BatchNorm normalises with the statistics of the whole batch; else with those of the part.
  bool sync_batch_norm = true;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DISTRIBUTED_BATCH_SHARE_H_
