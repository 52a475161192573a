#ifndef QUANTRY_WORKER_ENGINE_FUSE_CHAIN_NODES_H_
#define QUANTRY_WORKER_ENGINE_FUSE_CHAIN_NODES_H_

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/kernels/chain.h"

namespace quantry::engine {

// The nodes that together are an elementwise chain (kernels/chain.h), each null where the chain has
// none: x -> bias or norm -> inner -> add -> activation -> outer.
struct ChainNodes {
  const Node* bias = nullptr;           // Add of a vector, one element for each of the last axis
  const Node* norm = nullptr;           // BatchNormalization; not with a bias
  const Node* inner = nullptr;          // FakeQuantize
  const Node* add = nullptr;            // Add
  std::vector<const Node*> activation;  // fuse/activation_nodes.h
  const Node* outer = nullptr;          // FakeQuantize
  const Value* x = nullptr;
  const Value* operand = nullptr;  // the other one of `add`

  std::vector<const Node*> All() const;  // those that there are, in order
  const Value* bias_vector() const;      // null without a bias
};

// The longest chain that starts with `first`, which reads its x as input `index`, without nodes
// that are `taken`. May be a single node, or none: All() is empty then.
ChainNodes MatchChain(const Graph& graph, const Node* first,
                      const absl::flat_hash_set<const Node*>& taken, size_t index = 0);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_CHAIN_NODES_H_
