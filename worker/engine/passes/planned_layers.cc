#include "worker/engine/passes/planned_layers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace quantry::engine {
namespace {

// For each node of the plan the first of those that it shares a quantized weight with.
std::map<const Node*, const Node*> HeadsOfLayers(const QuantPlan& plan) {
  std::map<const Node*, const Node*> heads;
  for (const PlannedTensor& tensor : plan.tensors) {
    if (!tensor.spec.is_weight) continue;
    for (const Use& use : tensor.uses) heads.emplace(use.node, tensor.uses.front().node);
  }
  return heads;
}

const Node* HeadOf(const std::map<const Node*, const Node*>& heads, const Node* node) {
  const auto found = heads.find(node);
  return found == heads.end() ? node : found->second;
}

void AddOnce(std::vector<size_t>& list, size_t index) {
  if (std::find(list.begin(), list.end(), index) == list.end()) list.push_back(index);
}

void AddTensor(const PlannedTensor& tensor, size_t index, PlannedLayer& layer) {
  AddOnce(layer.tensors, index);
  int& bits = tensor.spec.is_weight ? layer.weight_bits : layer.activation_bits;
  if (bits == 0) bits = tensor.spec.bits;
  if (tensor.spec.is_weight) layer.weights = tensor.value->tensor().numel();
}

}  // namespace

std::vector<PlannedLayer> LayersOf(const QuantPlan& plan) {
  const std::map<const Node*, const Node*> heads = HeadsOfLayers(plan);
  std::vector<PlannedLayer> layers;
  std::map<const Node*, size_t> index_of;  // by head
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    for (const Use& use : plan.tensors[i].uses) {
      const Node* head = HeadOf(heads, use.node);
      const auto [entry, is_new] = index_of.emplace(head, layers.size());
      if (is_new) layers.push_back({.name = head->name(), .op_type = head->op()});
      PlannedLayer& layer = layers[entry->second];
      const bool known =
          std::find(layer.nodes.begin(), layer.nodes.end(), use.node) != layer.nodes.end();
      if (!known) layer.nodes.push_back(use.node);
      AddTensor(plan.tensors[i], i, layer);
    }
  }
  return layers;
}

QuantPlan WithBits(const QuantPlan& plan, const std::map<std::string, LayerBits>& bits) {
  const std::map<const Node*, const Node*> heads = HeadsOfLayers(plan);
  QuantPlan changed{.layers = plan.layers, .output_moving_rate = plan.output_moving_rate};
  for (const PlannedTensor& tensor : plan.tensors) {
    const size_t first = changed.tensors.size();
    for (const Use& use : tensor.uses) {
      const auto chosen = bits.find(HeadOf(heads, use.node)->name());
      int width = tensor.spec.bits;
      if (chosen != bits.end()) {
        width = tensor.spec.is_weight ? chosen->second.weight : chosen->second.activation;
      }
      const auto same = std::find_if(
          changed.tensors.begin() + static_cast<std::ptrdiff_t>(first), changed.tensors.end(),
          [width](const PlannedTensor& other) { return other.spec.bits == width; });
      if (same != changed.tensors.end()) {
        same->uses.push_back(use);
        continue;
      }
      PlannedTensor part = tensor;
      part.uses = {use};
      part.spec.bits = width;
      changed.tensors.push_back(std::move(part));
    }
  }
  return changed;
}

}  // namespace quantry::engine
