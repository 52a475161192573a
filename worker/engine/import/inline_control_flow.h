#ifndef QUANTRY_WORKER_ENGINE_IMPORT_INLINE_CONTROL_FLOW_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_INLINE_CONTROL_FLOW_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "onnx/onnx_pb.h"

namespace quantry::engine {

// The int64 scalar that is the only output of a small graph without data: its inputs have declared
// shapes, which is all that its nodes may look at. Empty where it can't be told.
using ConstantFinder = std::function<std::optional<int64_t>(const onnx::GraphProto&)>;

// Replaces each If, Loop and Scan of the main graph by the nodes that it would run, where its
// course follows from constants and declared shapes: an If becomes its branch, a Loop or Scan the
// copies of its body. Sub-graphs inside of these are treated the same way. INVALID_ARGUMENT names
// the first node whose course depends on data, or that runs more than 4096 times or makes more than
// 50000 nodes or 256 MiB.
absl::Status InlineControlFlow(int64_t opset, const ConstantFinder& find, onnx::GraphProto& graph);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_INLINE_CONTROL_FLOW_H_
