#ifndef QUANTRY_WORKER_ENGINE_IMPORT_INLINE_CONTROL_FLOW_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_INLINE_CONTROL_FLOW_H_

#include <cstdint>

#include "absl/status/status.h"
#include "onnx/onnx_pb.h"
#include "worker/engine/import/known_numbers.h"

namespace quantry::engine {

// Whether a node is an If, Loop or Scan.
bool IsControlFlow(const onnx::NodeProto& node);

// Replaces each If, Loop and Scan of the main graph by the nodes that it would run, where its
// course follows from constants and declared shapes: an If becomes its branch, a Loop or Scan the
// copies of its body. Sub-graphs inside of these are treated the same way. INVALID_ARGUMENT names
// the first node whose course depends on data, or that runs more than 4096 times or makes more than
// 50000 nodes or 256 MiB.
absl::Status InlineControlFlow(int64_t opset, const ConstantFinder& find, onnx::GraphProto& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_INLINE_CONTROL_FLOW_H_
