#ifndef QUANTRY_WORKER_ENGINE_OPS_FLATTENED_AXIS_H_
#define QUANTRY_WORKER_ENGINE_OPS_FLATTENED_AXIS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// OperatorDef::upgrade of Softmax, LogSoftmax and Hardmax: up to opset 12 they ran over all axes
// from `axis` (default 1) on, as one. Brings the newest form between a Flatten and a Reshape.
absl::Status UpgradeFlattenedAxis(Graph& graph, Node& node, int64_t opset);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_FLATTENED_AXIS_H_
