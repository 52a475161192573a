#include "worker/engine/passes/output_scales.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "worker/engine/ops/observe_output.h"
#include "worker/engine/passes/edit.h"

namespace quantry::engine {
namespace {

bool IsNormOf(const Node* node, const Value* value) {
  return node->op() == "BatchNormalization" && node->input(0) == value;
}

// What the layer puts out in the model that is served.
Value* ServedOutput(const Graph& graph, const Node& layer) {
  Value* output = layer.output();
  const bool alone = output->uses().size() == 1 && !IsGraphOutput(graph, output);
  if (!alone || !IsNormOf(output->uses()[0].node, output)) return output;
  return output->uses()[0].node->output();
}

// The layer's node behind an observed value.
const Node* LayerOf(const Value* value) {
  const Node* node = value->producer();
  if (node != nullptr && node->op() == "BatchNormalization") {
    const Node* before = node->input(0)->producer();
    return before != nullptr ? before : node;
  }
  return node;
}

void Follow(Graph& graph, const Node& layer, double moving_rate) {
  Value* output = ServedOutput(graph, layer);
  const auto buffer = [&](absl::string_view suffix) {
    return graph.AddInitializer(absl::StrCat(output->name(), suffix),
                                at::zeros({}, at::TensorOptions().dtype(at::kFloat)),
                                InitializerRole::kBuffer);
  };
  Value* scale = buffer(".output_scale");
  Value* accum = buffer(".output_accum");
  Value* state = buffer(".output_state");
  const Node* node = graph.AddNode(kObserveOutputOp, absl::StrCat(output->name(), ".observe"),
                                   {output, scale, accum, state},
                                   {{"moving_rate", static_cast<float>(moving_rate)}});
  node->output()->type = output->type;
}

}  // namespace

void FollowOutputs(Graph& graph, const QuantPlan& plan) {
  std::vector<Node*> layers = plan.layers;
  for (size_t i = 0; plan.layers.empty() && i < plan.tensors.size(); ++i) {
    for (const Use& use : plan.tensors[i].uses) {
      if (std::find(layers.begin(), layers.end(), use.node) == layers.end()) {
        layers.push_back(use.node);
      }
    }
  }
  for (const Node* layer : layers) Follow(graph, *layer, *plan.output_moving_rate);
}

std::vector<OutputScale> OutputScales(const Graph& graph) {
  std::vector<OutputScale> scales;
  const auto order = graph.TopologicalOrder();
  if (!order.ok()) return scales;
  for (const Node* node : *order) {
    if (node->op() != kObserveOutputOp) continue;
    const Value* value = node->input(kObserveOutputX);
    const Node* layer = LayerOf(value);
    scales.push_back({.layer = layer == nullptr ? std::string() : layer->name(),
                      .value = value->name(),
                      .scale = node->input(kObserveOutputScale)->tensor().item<float>()});
  }
  return scales;
}

}  // namespace quantry::engine
