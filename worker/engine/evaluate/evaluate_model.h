#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_EVALUATE_MODEL_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_EVALUATE_MODEL_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/evaluate/metrics.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// One evaluated batch, valid during the call that hands it over.
struct EvaluatedBatch {
  int64_t batches_done = 0;              // this one included
  int64_t batches = 0;                   // of the whole evaluation
  const at::Tensor& logits;              // [n, classes]
  const ClassificationMetrics& metrics;  // of all batches so far
};

// Called after each batch; an error ends the evaluation with it.
using EvaluationObserver = std::function<absl::Status(const EvaluatedBatch&)>;

// Runs `graph` (one input: pictures; one output: logits) in evaluation mode over epoch 0 of
// `loader`. Errors: the executor's, the loader's, the observer's; for an output that is NaN the one
// of ExplainNotFinite.
absl::StatusOr<ClassificationMetrics> EvaluateModel(const Graph& graph, Loader& loader,
                                                    const EvaluationObserver& observer = nullptr);

// Runs `graph` once on zeros to see that it takes float pictures [2, 3, S, S] and gives [2,
// classes]. INVALID_ARGUMENT says what it takes or gives instead.
absl::Status CheckClassifier(const Graph& graph, int64_t image_size, int64_t classes);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_EVALUATE_MODEL_H_
