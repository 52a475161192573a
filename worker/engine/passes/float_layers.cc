#include "worker/engine/passes/float_layers.h"

#include <ATen/ATen.h>

#include "common/status_macros.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

int64_t TrainedWeights(const Node& node) {
  int64_t weights = 0;
  for (const Value* input : node.inputs()) {
    const bool trained = input != nullptr && input->is_initializer() &&
                         input->role() == InitializerRole::kParameter && input->tensor().dim() > 1;
    if (trained) weights += input->tensor().numel();
  }
  return weights;
}

}  // namespace

absl::StatusOr<std::vector<FloatLayer>> FloatLayers(const Graph& graph) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, graph.TopologicalOrder());
  std::vector<FloatLayer> layers;
  for (const Node* node : order) {
    const int64_t weights = node->op() == kFakeQuantizeOp ? 0 : TrainedWeights(*node);
    if (weights > 0) layers.push_back({.name = node->name(), .op = node->op(), .weights = weights});
  }
  return layers;
}

}  // namespace quantry::engine
