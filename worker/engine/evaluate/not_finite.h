#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_NOT_FINITE_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_NOT_FINITE_H_

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

// Which layer of a model first gives NaN or infinity, for messages. All functions return errors
// that IsNotFinite recognises: FAILED_PRECONDITION, "`what`: LAYER; `advice`".

// Runs `batch`, inputs of the model, again with `context` to find the layer. To be called after an output or the loss
// was not finite.
absl::Status ExplainNotFinite(const Executor& executor, absl::Span<const at::Tensor> batch,
                              const EvaluateContext& context, absl::string_view what,
                              absl::string_view advice);

// Looks at the gradients of the parameters of `graph`, which backward fills from the last layer to
// the first, and names the layer nearest to the output whose gradient is not finite. OK if all are.
absl::Status CheckGradientsFinite(const Graph& graph, absl::string_view what,
                                  absl::string_view advice);

bool IsNotFinite(const absl::Status& status);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_NOT_FINITE_H_
