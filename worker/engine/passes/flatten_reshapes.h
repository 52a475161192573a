#ifndef QUANTRY_WORKER_ENGINE_PASSES_FLATTEN_RESHAPES_H_
#define QUANTRY_WORKER_ENGINE_PASSES_FLATTEN_RESHAPES_H_

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Exporters write "keep the batch, flatten the rest" in many ways. A Reshape of x whose target is
// put together from constants and sizes of x itself (Concat of Unsqueeze(Gather(Shape(x), i))) gets
// a constant target, with ONNX's 0 for a size that is kept in its place; a target [0, -1] makes it
// Flatten(axis=1).
void FlattenReshapes(Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_FLATTEN_RESHAPES_H_
