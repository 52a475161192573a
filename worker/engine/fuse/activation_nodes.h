#ifndef QUANTRY_WORKER_ENGINE_FUSE_ACTIVATION_NODES_H_
#define QUANTRY_WORKER_ENGINE_FUSE_ACTIVATION_NODES_H_

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/kernels/chain.h"

namespace quantry::engine {

// The nodes that compute an activation (ChainActivation) of `value`: `reader` alone, which may be
// null, or several that together are SiLU, v * Sigmoid(v), or GELU, v * (Erf(v / sqrt(2)) + 1) *
// 0.5, as exporters write them. In topological order; nobody else reads what they make, but for the
// last one's only output. None of them is `taken`. Empty: there is no activation.
std::vector<const Node*> MatchActivation(const Graph& graph, const Value& value, const Node* reader,
                                         const absl::flat_hash_set<const Node*>& taken);

// Sets in `chain` what such nodes compute; none do nothing.
void SetActivation(const std::vector<const Node*>& nodes, ElementwiseChain& chain);

// The only reader of `value`, and as which of its inputs; null if there are others, or it is one of
// the graph's outputs.
const Node* OnlyReader(const Graph& graph, const Value& value, size_t* index);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_ACTIVATION_NODES_H_
