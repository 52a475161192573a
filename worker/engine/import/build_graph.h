#ifndef QUANTRY_WORKER_ENGINE_IMPORT_BUILD_GRAPH_H_
#define QUANTRY_WORKER_ENGINE_IMPORT_BUILD_GRAPH_H_

#include "absl/status/statusor.h"
#include "onnx/onnx_pb.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/import/onnx_tensor.h"

namespace quantry::engine {

// Builds the graph as it stands in the file, node by node: Constant nodes become initializers, all
// initializers are kConstant, trailing outputs that nobody uses and that the operator may leave out
// are dropped. Nodes may stand in any order. INVALID_ARGUMENT names the node: a value that nothing
// makes or that is made twice, a cycle, an attribute that can't be read.
absl::StatusOr<Graph> BuildGraph(const onnx::GraphProto& proto, OnnxTensorReader& tensors);

// Brings the nodes of a file of `opset` into the newest form that the operators have (ops/
// upgrades.h). Errors name the node.
absl::Status UpgradeNodes(Graph& graph, int64_t opset);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_IMPORT_BUILD_GRAPH_H_
