#include "worker/engine/passes/layer_kinds.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// The type of a node is what its operator's layer_type says, else the operator's name.
constexpr LayerKind kTable[] = {
    {"Conv1D", QuantizedTensors::kInputAndWeight},
    {"Conv2D", QuantizedTensors::kInputAndWeight},
    {"Conv3D", QuantizedTensors::kInputAndWeight},
    {"Conv1DTranspose", QuantizedTensors::kInputAndWeight},
    {"Conv2DTranspose", QuantizedTensors::kInputAndWeight},
    {"Conv3DTranspose", QuantizedTensors::kInputAndWeight},
    {"Linear", QuantizedTensors::kInputAndWeight},
    {"MatMul", QuantizedTensors::kInputs},
    {"Add", QuantizedTensors::kInputs},
    {"Mul", QuantizedTensors::kInputs},
    {"Concat", QuantizedTensors::kOutput},
    {"MaxPool", QuantizedTensors::kOutput},
    {"AveragePool", QuantizedTensors::kFirstInput},
    {"GlobalAveragePool", QuantizedTensors::kFirstInput},
};

std::optional<size_t> SlotOfKind(const OperatorDef& def, const Node& node, InputKind kind) {
  for (size_t slot = 0; slot < node.inputs().size(); ++slot) {
    if (node.input(slot) != nullptr && KindOfInput(def, slot) == kind) return slot;
  }
  return std::nullopt;
}

const LayerKind* KindOf(const OperatorDef& def, const Node& node) {
  const std::string type = def.layer_type == nullptr ? node.op() : def.layer_type(node);
  const auto* kind = std::find_if(std::begin(kTable), std::end(kTable),
                                  [&](const LayerKind& entry) { return entry.type == type; });
  return kind == std::end(kTable) ? nullptr : kind;
}

std::optional<QuantLayer> WithWeight(const OperatorDef& def, QuantLayer layer) {
  const auto input = SlotOfKind(def, *layer.node, InputKind::kActivation);
  layer.weight_slot = SlotOfKind(def, *layer.node, InputKind::kWeight);
  if (!input || !layer.weight_slot) return std::nullopt;
  if (!layer.node->input(*layer.weight_slot)->is_initializer()) return std::nullopt;
  layer.activation_slots = {*input};
  layer.weight_axis = def.weight_axis(*layer.node);
  return layer;
}

std::optional<QuantLayer> WithInputs(QuantLayer layer) {
  for (size_t slot = 0; slot < layer.node->inputs().size(); ++slot) {
    const Value* input = layer.node->input(slot);
    if (input == nullptr || input->is_initializer()) return std::nullopt;
    layer.activation_slots.push_back(slot);
  }
  return layer;
}

std::optional<QuantLayer> WithTensors(const OperatorDef& def, QuantLayer layer) {
  switch (layer.kind->tensors) {
    case QuantizedTensors::kInputAndWeight:
      return WithWeight(def, std::move(layer));
    case QuantizedTensors::kInputs:
      return WithInputs(std::move(layer));
    case QuantizedTensors::kFirstInput:
      layer.activation_slots = {0};
      return layer;
    case QuantizedTensors::kOutput:
      return layer;
  }
  return std::nullopt;
}

}  // namespace

absl::Span<const LayerKind> LayerKindTable() { return kTable; }

std::string QuantLayer::WeightName() const {
  return weight_slot ? node->input(*weight_slot)->name() : "";
}

std::optional<QuantLayer> AsQuantLayer(Node* node, const std::set<const Value*>& floats) {
  const OperatorDef* def = FindOperator(node->op());
  const LayerKind* kind = def == nullptr ? nullptr : KindOf(*def, *node);
  if (kind == nullptr) return std::nullopt;
  std::optional<QuantLayer> layer = WithTensors(*def, {.node = node, .kind = kind});
  if (!layer || !floats.contains(node->output())) return std::nullopt;
  std::vector<size_t> slots = layer->activation_slots;
  if (layer->weight_slot) slots.push_back(*layer->weight_slot);
  for (const size_t slot : slots) {
    if (!floats.contains(node->input(slot))) return std::nullopt;
  }
  return layer;
}

}  // namespace quantry::engine
