#include "worker/engine/export/deployed_model.h"

#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/export/lower_weight.h"
#include "worker/engine/export/quantize_bias.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/passes/edit.h"
#include "worker/engine/passes/fold_batch_norm.h"

namespace quantry::engine {
namespace {

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

absl::StatusOr<Graph> DeployedModel(const Graph& trained, const QdqOptions& options) {
  const at::NoGradGuard no_grad;
  Graph graph = trained.Clone();
  RemoveDropout(graph);
  for (Node* node : graph.nodes()) {
    if (node->op() != kFakeQuantizeOp || !SpecOf(*node).is_weight) continue;
    QUANTRY_RETURN_IF_ERROR(LowerWeight(graph, node, options));
  }
  graph.RemoveDead();
  FoldBatchNorm(graph);
  if (HasIntegerBiases(options)) QUANTRY_RETURN_IF_ERROR(QuantizeBiases(graph));
  graph.RemoveDead();
  return graph;
}

}  // namespace quantry::engine
