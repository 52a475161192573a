#ifndef QUANTRY_WORKER_ENGINE_PASSES_FUSE_HARD_SWISH_H_
#define QUANTRY_WORKER_ENGINE_PASSES_FUSE_HARD_SWISH_H_

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// HardSwish exists since opset 14; before, exporters write it in pieces. With h(x) = x·clip(x+3, 0,
// 6)/6 (Howard et al. 2019), makes one HardSwish of
//   Mul(x, HardSigmoid(x)) with alpha = 1/6, beta = 1/2, and
//   Div(Mul(x, Clip(Add(x, 3), 0, 6)), 6),
// operands in either order, where nothing else reads the values in between.
void FuseHardSwish(Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_FUSE_HARD_SWISH_H_
