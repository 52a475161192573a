#ifndef QUANTRY_WORKER_ENGINE_WEIGHTS_LOAD_WEIGHTS_H_
#define QUANTRY_WORKER_ENGINE_WEIGHTS_LOAD_WEIGHTS_H_

#include "absl/status/status.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/weights/read_weights.h"

namespace quantry::engine {

struct LoadWeightsOptions {
  // The last layer (weight and bias of the node that makes the output) keeps what it has; tensors
  // of its names are passed over.
  bool new_classifier = false;
};

// Copies `weights` into the parameters and buffers of `graph` by name. Names and shapes must agree
// exactly; only torch's counters "*.num_batches_tracked" are passed over. INVALID_ARGUMENT lists
// the first ten differences, missing and unexpected names with the nearest one, and leaves the
// graph as it was; values that are not finite are refused as well.
absl::Status LoadWeights(const WeightMap& weights, const LoadWeightsOptions& options, Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_WEIGHTS_LOAD_WEIGHTS_H_
