#ifndef QUANTRY_WORKER_ENGINE_PASSES_CHECK_WEIGHTS_H_
#define QUANTRY_WORKER_ENGINE_PASSES_CHECK_WEIGHTS_H_

#include "absl/status/status.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// No parameter or buffer has an element that is NaN or infinite: no quantizer has a scale for
// these, and training spreads them to all. INVALID_ARGUMENT names the first such initializer, the
// node that reads it and the element. Constants may be infinite, as the masks of attention are.
absl::Status CheckWeights(const Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_CHECK_WEIGHTS_H_
