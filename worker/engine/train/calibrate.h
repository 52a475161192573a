#ifndef QUANTRY_WORKER_ENGINE_TRAIN_CALIBRATE_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_CALIBRATE_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Called after each calibration batch with batches done and batches in all; an error ends it.
using CalibrationObserver = std::function<absl::Status(int64_t done, int64_t total)>;

// Runs the first `batches` batches of epoch 0 of `loader` (or all, if there are fewer). `hook` sees
// every node; it and `observer` may be empty.
absl::Status RunBatches(Executor& executor, Loader& loader, int64_t batches, RunPhase phase,
                        const Executor::NodeHook& hook, const CalibrationObserver& observer);

// Lets the observers of `graph` see the first `batches` batches of epoch 0 of `loader` (or all, if
// there are fewer) in float, which gives every quantizer its start values; then lets the calibrator
// of each quantizer (train/threshold_search.h) replace what the observer found. INVALID_ARGUMENT
// names a tensor for which that is not possible because it is not finite.
absl::Status Calibrate(const Graph& graph, Loader& loader, int64_t batches,
                       const CalibrationObserver& observer = nullptr);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_CALIBRATE_H_
