#ifndef QUANTRY_WORKER_ENGINE_PASSES_FOLD_CONSTANTS_H_
#define QUANTRY_WORKER_ENGINE_PASSES_FOLD_CONSTANTS_H_

#include "absl/status/status.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Replaces by a constant every node of shape and index arithmetic (Shape, Gather, Concat, Add,
// Cast, Transpose, ...) whose inputs are all kConstant initializers, and Shape, or a Gather from
// it, where the sizes asked for are known from the value's declared type. Layers and quantizers
// stay. What is computed from kParameter initializers alone that no layer reads as they are (a
// weight's Transpose, g * v / |v|) becomes a parameter, but stays where training it would be
// something else: where elements repeat (a table's Gather), or are joined with fixed ones (a bias
// partly zero). Never makes a tensor of more than 2^24 elements by broadcasting: such nodes stay,
// as do those for which all that is made would come to more than 2^26 elements beside four times
// those that the graph has. INVALID_ARGUMENT names a node that its operator can't evaluate.
absl::Status FoldConstants(Graph& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_FOLD_CONSTANTS_H_
