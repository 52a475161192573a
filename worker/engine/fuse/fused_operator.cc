#include "worker/engine/fuse/fused_operator.h"

#include "absl/container/flat_hash_set.h"
#include "worker/engine/fuse/chain_nodes.h"
#include "worker/engine/fuse/chain_operator.h"

namespace quantry::engine {

std::vector<std::unique_ptr<FusedOperator>> FindFusedOperators(const Graph& graph,
                                                               absl::Span<Node* const> order) {
  std::vector<std::unique_ptr<FusedOperator>> operators;
  absl::flat_hash_set<const Node*> taken;
  for (const Node* node : order) {
    const ChainNodes chain = MatchChain(graph, node, taken);
    const std::vector<const Node*> nodes = chain.All();
    if (nodes.empty()) continue;
    taken.insert(nodes.begin(), nodes.end());
    operators.push_back(std::make_unique<ChainOperator>(chain));
  }
  return operators;
}

}  // namespace quantry::engine
