#ifndef QUANTRY_WORKER_ENGINE_EXPORT_CHECKED_QPARAMS_H_
#define QUANTRY_WORKER_ENGINE_EXPORT_CHECKED_QPARAMS_H_

#include "absl/status/statusor.h"
#include "worker/engine/graph/node.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {

// What a FakeQuantize node evaluates with, on the CPU. FAILED_PRECONDITION names a tensor that was
// never calibrated or whose threshold is not finite.
absl::StatusOr<QParams> CheckedQParams(const Node& fake_quantize);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EXPORT_CHECKED_QPARAMS_H_
