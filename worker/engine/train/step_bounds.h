#ifndef QUANTRY_WORKER_ENGINE_TRAIN_STEP_BOUNDS_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_STEP_BOUNDS_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Keeps learned step sizes (LSQ) within a factor of kLargestChange of what they were before an
// update. A step is small, its gradient a sum over a whole tensor: with a rate that is a little too
// high one update takes it past zero, where the range is empty, everything behind it constant, and
// the next gradients beyond all bounds. In a run that goes well the bounds are never reached. The
// graph must outlive the object and keep its parameters. Not thread-safe.
class StepBounds {
 public:
  static constexpr double kLargestChange = 2;

  explicit StepBounds(const Graph& graph);

  void BeforeUpdate();
  void AfterUpdate();

 private:
  std::vector<at::Tensor> steps_;   // the graph's own
  std::vector<at::Tensor> before_;  // as they were
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_STEP_BOUNDS_H_
