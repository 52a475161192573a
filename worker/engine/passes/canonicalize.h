#ifndef QUANTRY_WORKER_ENGINE_PASSES_CANONICALIZE_H_
#define QUANTRY_WORKER_ENGINE_PASSES_CANONICALIZE_H_

#include "absl/status/status.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Brings a graph to the one form that later passes know, whatever wrote it:
//  - Identity nodes go;
//  - what is computed from constants and known shapes alone becomes a constant (fold_constants.h);
//  - a Reshape to [batch, rest], also one computed from Shape, becomes Flatten(axis=1);
//  - x * HardSigmoid(x) and x * Clip(x + 3, 0, 6) / 6 become HardSwish (fuse_hard_swish.h);
//  - nodes and initializers that nobody uses go.
// Dropout stays. Names of inputs and outputs stay. Running it twice changes nothing.
// INVALID_ARGUMENT names a node whose constant inputs its operator refuses.
absl::Status Canonicalize(Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_CANONICALIZE_H_
