#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_EVALUATE_MODEL_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_EVALUATE_MODEL_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/evaluate/task_metrics.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// One evaluated batch, valid during the call that hands it over.
struct EvaluatedBatch {
  int64_t batches_done = 0;                // this one included
  int64_t batches = 0;                     // of the whole evaluation
  int64_t examples = 0;                    // of this batch
  const std::vector<at::Tensor>& outputs;  // all of the graph's
  const at::Tensor& logits;                // the one that the task is about
  const TaskMetrics& metrics;              // of all batches so far
};

// Called after each batch; an error ends the evaluation with it.
using EvaluationObserver = std::function<absl::Status(const EvaluatedBatch&)>;

struct EvaluateOptions {
  size_t task_output = 0;  // place in Graph::outputs()
  // Without labels: the model that outputs are to agree with. Null: nothing is compared.
  const Graph* reference = nullptr;
};

// Runs `graph` in evaluation mode over epoch 0 of `loader`, whose batches it must take. Errors: the
// executor's, the loader's, the observer's; for an output that is NaN the one of ExplainNotFinite.
absl::StatusOr<TaskMetrics> EvaluateModel(const Graph& graph, Loader& loader,
                                          const EvaluationObserver& observer = nullptr,
                                          const EvaluateOptions& options = {});

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_EVALUATE_MODEL_H_
