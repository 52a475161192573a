#include "worker/engine/fuse/fused_operator.h"

#include "absl/container/flat_hash_set.h"
#include "worker/engine/fuse/chain_nodes.h"
#include "worker/engine/fuse/chain_operator.h"
#include "worker/engine/fuse/gate_operator.h"
#include "worker/engine/fuse/layer_operator.h"

namespace quantry::engine {
namespace {

// One node alone is what it is, but a quantizer: that has integers to give.
bool IsWorthwhile(const ChainNodes& chain) {
  return chain.All().size() > 1 || chain.outer != nullptr;
}

}  // namespace

std::vector<std::unique_ptr<FusedOperator>> FindFusedOperators(const Graph& graph,
                                                               absl::Span<Node* const> order) {
  std::vector<std::unique_ptr<FusedOperator>> operators;
  absl::flat_hash_set<const Node*> taken;
  for (const Node* node : order) {
    if (taken.contains(node)) continue;
    const LayerNodes layer = MatchLayer(graph, node, taken);
    const std::vector<const Node*> layer_nodes = layer.All();
    if (!layer_nodes.empty()) operators.push_back(std::make_unique<LayerOperator>(layer));
    const GateNodes gate = MatchGate(graph, node, taken);
    const std::vector<const Node*> gate_nodes = gate.All();
    if (!gate_nodes.empty()) operators.push_back(std::make_unique<GateOperator>(gate));
    taken.insert(gate_nodes.begin(), gate_nodes.end());
    const ChainNodes chain = layer_nodes.empty() ? MatchChain(graph, node, taken) : layer.chain;
    const std::vector<const Node*> nodes = chain.All();
    if (IsWorthwhile(chain)) operators.push_back(std::make_unique<ChainOperator>(chain));
    if (IsWorthwhile(chain)) taken.insert(nodes.begin(), nodes.end());
    taken.insert(layer_nodes.begin(), layer_nodes.end());
  }
  return operators;
}

}  // namespace quantry::engine
