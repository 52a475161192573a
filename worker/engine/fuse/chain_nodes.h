#ifndef QUANTRY_WORKER_ENGINE_FUSE_CHAIN_NODES_H_
#define QUANTRY_WORKER_ENGINE_FUSE_CHAIN_NODES_H_

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/kernels/chain.h"

namespace quantry::engine {

// The nodes that together are an elementwise chain (kernels/chain.h), each null where the chain has
// none: x -> norm -> inner -> add -> activation -> outer.
struct ChainNodes {
  const Node* norm = nullptr;        // BatchNormalization
  const Node* inner = nullptr;       // FakeQuantize
  const Node* add = nullptr;         // Add
  const Node* activation = nullptr;  // Relu, Clip with constant bounds, HardSwish
  const Node* outer = nullptr;       // FakeQuantize
  const Value* x = nullptr;
  const Value* operand = nullptr;  // the other one of `add`

  std::vector<const Node*> All() const;  // those that there are, in order
};

// The longest chain that starts with `first`, which reads its x as input `index`, without nodes
// that are `taken`. May be a single node, or none: All() is empty then.
ChainNodes MatchChain(const Graph& graph, const Node* first,
                      const absl::flat_hash_set<const Node*>& taken, size_t index = 0);

// The only reader of `value`, and as which of its inputs; null if there are others, or it is one of
// the graph's outputs.
const Node* OnlyReader(const Graph& graph, const Value& value, size_t* index);

// Sets what an activation node does in `chain`; a null node does nothing.
void SetActivation(const Node* activation, ElementwiseChain& chain);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_CHAIN_NODES_H_
