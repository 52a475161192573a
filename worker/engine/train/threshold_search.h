#ifndef QUANTRY_WORKER_ENGINE_TRAIN_THRESHOLD_SEARCH_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_THRESHOLD_SEARCH_H_

#include <ATen/core/Tensor.h>

#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/quant/histogram.h"

namespace quantry::engine {

// Finds the start of the FakeQuantize nodes of a graph whose spec names a calibrator that goes by
// the spread of the values (percentile, mse, kl). It keeps one Histogram (128 KiB) per activation
// while calibration runs, and looks at weights when all is seen. It applies to every quantizer
// whose threshold is free; abs_max and channel_wise_abs_max weights, whose s follows the weight, and
// DoReFa have none. All of it is over before training begins, so that a checkpoint needs none of
// its state. Not thread-safe.
class ThresholdSearch {
 public:
  // `graph` must outlive the search and not be edited meanwhile.
  explicit ThresholdSearch(const Graph& graph);

  // Whether there is anything to find.
  bool needed() const { return !activations_.empty() || !weights_.empty(); }

  // An Executor's hook: takes in what a FakeQuantize node was given.
  absl::Status See(const Node& node, absl::Span<const at::Tensor> inputs);

  // Makes every node go on from the threshold found for it. A tensor that was never seen keeps what
  // its quantizer has. INVALID_ARGUMENT names a tensor with NaN or infinite values.
  absl::Status Apply() const;

 private:
  std::unordered_map<const Node*, Histogram> activations_;
  std::vector<const Node*> weights_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_THRESHOLD_SEARCH_H_
