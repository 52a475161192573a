#ifndef QUANTRY_WORKER_ENGINE_FUSE_FUSED_OPERATOR_H_
#define QUANTRY_WORKER_ENGINE_FUSE_FUSED_OPERATOR_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "worker/engine/fuse/run_value.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

// One operator that computes what several nodes of a graph compute, in fewer passes over memory.
// The graph stays as it is: the Executor runs the operator in their place where it can, and the
// nodes otherwise, with the same result up to rounding. Not thread-safe.
class FusedOperator {
 public:
  virtual ~FusedOperator() = default;

  // The nodes, in topological order. Nobody else reads what they make, but for the last one's only
  // output, which is what the operator gives.
  const std::vector<const Node*>& nodes() const { return nodes_; }
  // What it reads, no node's output among it that is one of its own. Null: left out.
  const std::vector<const Value*>& inputs() const { return inputs_; }

  // Whether it can do this run on these `inputs`. Changes nothing.
  virtual bool Accepts(absl::Span<const RunValue> inputs, const EvaluateContext& context) const = 0;
  // As OperatorDef::evaluate, for what Accepts has accepted.
  virtual RunValue Run(absl::Span<const RunValue> inputs, const EvaluateContext& context) const = 0;

 protected:
  FusedOperator(std::vector<const Node*> nodes, std::vector<const Value*> inputs)
      : nodes_(std::move(nodes)), inputs_(std::move(inputs)) {}

 private:
  std::vector<const Node*> nodes_;
  std::vector<const Value*> inputs_;
};

// The fused operators for `graph`, which they point into. No node is in two of them, unless the
// nodes of one are the last ones of the other, which then comes first: it is for runs that the
// other can't do. `order`: the graph's nodes in topological order.
std::vector<std::unique_ptr<FusedOperator>> FindFusedOperators(const Graph& graph,
                                                               absl::Span<Node* const> order);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_FUSE_FUSED_OPERATOR_H_
