#include "worker/engine/export/to_qdq.h"

#include <ATen/ATen.h>

#include <vector>

#include "common/status_macros.h"
#include "worker/engine/export/lower_activation.h"
#include "worker/engine/export/lower_weight.h"
#include "worker/engine/export/quantize_bias.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/passes/edit.h"
#include "worker/engine/passes/fold_batch_norm.h"

namespace quantry::engine {
namespace {

std::vector<Node*> FakeQuantizeNodes(const Graph& graph, bool weights) {
  std::vector<Node*> nodes;
  for (Node* node : graph.nodes()) {
    if (node->op() == kFakeQuantizeOp && SpecOf(*node).is_weight == weights) nodes.push_back(node);
  }
  return nodes;
}

void RemoveDropout(Graph& graph) {
  for (Node* node : graph.nodes()) {
    if (node->op() == "Dropout") ReplaceNode(graph, node, node->input(0));
  }
}

bool HasIntegerBiases(const QdqOptions& options) {
  return (options.profile == "onnxruntime" || options.profile == "paddle") &&
         options.weight_dtype != "int4";
}

}  // namespace

absl::StatusOr<Graph> ToQdq(const Graph& trained, const QdqOptions& options) {
  const at::NoGradGuard no_grad;
  Graph graph = trained.Clone();
  RemoveDropout(graph);
  for (Node* node : FakeQuantizeNodes(graph, /*weights=*/true)) {
    QUANTRY_RETURN_IF_ERROR(LowerWeight(graph, node, options));
  }
  graph.RemoveDead();
  FoldBatchNorm(graph);
  for (Node* node : FakeQuantizeNodes(graph, /*weights=*/false)) {
    QUANTRY_RETURN_IF_ERROR(LowerActivation(graph, node, options));
  }
  if (HasIntegerBiases(options)) QuantizeBiases(graph);
  AddWeightZeroPoints(graph, options);
  graph.RemoveDead();
  QUANTRY_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace quantry::engine
