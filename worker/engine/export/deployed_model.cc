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

// What is chance in training takes its mean.
void RemoveChance(Graph& graph) {
  for (Node* node : graph.nodes()) {
    const bool draws = node->op() == "Bernoulli";
    if (node->op() != "Dropout" && !draws) continue;
    Value* mean = node->input(0);
    if (draws && node->HasAttribute("dtype")) {
      mean = graph.AddNode("Cast", node->name(), {mean}, {{"to", node->Int("dtype", 1)}})->output();
    }
    ReplaceNode(graph, node, mean);
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
  RemoveChance(graph);
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
