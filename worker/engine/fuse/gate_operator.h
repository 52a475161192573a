#ifndef QUANTRY_WORKER_ENGINE_FUSE_GATE_OPERATOR_H_
#define QUANTRY_WORKER_ENGINE_FUSE_GATE_OPERATOR_H_

#include "absl/container/flat_hash_set.h"
#include "worker/engine/fuse/fused_operator.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// The last step of squeeze-and-excitation (Hu et al., 2018): pictures times one number for each of
// their channels, and the quantizer behind it.
struct GateNodes {
  const Node* product = nullptr;  // Mul
  const Node* outer = nullptr;    // FakeQuantize

  std::vector<const Node*> All() const;  // none, or both
};

// Those that start with `product`, without nodes that are `taken`. Which factor is the gate is seen
// in a run, by the shapes.
GateNodes MatchGate(const Graph& graph, const Node* product,
                    const absl::flat_hash_set<const Node*>& taken);

// Both as one operator on the CPU: for each picture a chain (kernels/chain.h) whose scale is the
// gate. One pass over memory forward, beside that for the range where the quantizer looks, and two
// backward, where nodes have two and five. In bf16 it takes and gives integers.
class GateOperator : public FusedOperator {
 public:
  explicit GateOperator(const GateNodes& nodes);

  bool Accepts(absl::Span<const RunValue> inputs, const EvaluateContext& context) const override;
  RunValue Run(absl::Span<const RunValue> inputs, const EvaluateContext& context) const override;

 private:
  GateNodes nodes_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_GATE_OPERATOR_H_
