#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_EXECUTOR_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_EXECUTOR_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

// Runs a graph node by node on ATen. The order is planned once; each value is released after its
// last use (autograd keeps what it needs). Where nodes make up a fused operator (fuse/) that can do
// the run, that is run in their place, unless a hook wants to see them. Parameters and buffers are
// the graph's own tensors: the graph must outlive the executor and not be edited meanwhile.
// Gradients flow when grad mode is on and parameters require them. Not thread-safe.
class Executor {
 public:
  // Called after each node with its outputs; an error ends the run.
  using NodeHook = std::function<absl::Status(const Node&, absl::Span<const at::Tensor> inputs,
                                              absl::Span<const at::Tensor> outputs)>;

  // INVALID_ARGUMENT where the graph can't run (unknown operator, cycle). With Fusing::kOff every
  // node is run by itself.
  enum class Fusing { kOff, kOn };
  static absl::StatusOr<std::unique_ptr<Executor>> Create(const Graph& graph,
                                                          Fusing fusing = Fusing::kOn);
  ~Executor();

  // Inputs in the order of graph.inputs(), outputs in the order of graph.outputs().
  // INVALID_ARGUMENT with node name and operator where ATen refuses the shapes.
  absl::StatusOr<std::vector<at::Tensor>> Run(absl::Span<const at::Tensor> inputs,
                                              const EvaluateContext& context,
                                              const NodeHook& hook = nullptr) const;

 private:
  struct Plan;
  class Runner;
  explicit Executor(std::unique_ptr<Plan> plan);
  std::unique_ptr<Plan> plan_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_EXECUTOR_H_
