#ifndef QUANTRY_WORKER_ENGINE_TRAIN_DIVERGENCE_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_DIVERGENCE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/status.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

// Says which layer first gives NaN or infinity on `images`, after the loss of step `step` (counted
// from 0) did: runs the batch again with `context`. Always an error: FAILED_PRECONDITION that
// IsDivergence recognises, naming layer, operator and step, and what to try.
absl::Status DiagnoseDivergence(const Executor& executor, const at::Tensor& images,
                                const EvaluateContext& context, int64_t step);

// Whether `status` came from DiagnoseDivergence.
bool IsDivergence(const absl::Status& status);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_DIVERGENCE_H_
