#include "worker/engine/passes/annotate.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

// A layer with a weight, and where its quantized inputs are.
struct Layer {
  Node* node = nullptr;
  size_t input_slot = 0;
  size_t weight_slot = 0;
  int64_t weight_axis = 0;
};

std::optional<size_t> SlotOfKind(const OperatorDef& def, const Node& node, InputKind kind) {
  for (size_t slot = 0; slot < node.inputs().size(); ++slot) {
    if (node.input(slot) != nullptr && KindOfInput(def, slot) == kind) return slot;
  }
  return std::nullopt;
}

bool MatchesAny(const std::vector<std::string>& patterns, absl::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return absl::StrContains(name, pattern); });
}

// The node as a layer that the config wants quantized; absent if it is none.
std::optional<Layer> AsQuantizedLayer(Node* node, const QuantConfig& config) {
  const OperatorDef* def = FindOperator(node->op());
  if (def == nullptr || def->layer_type == nullptr) return std::nullopt;
  const std::string type = def->layer_type(*node);
  const auto& wanted = config.quantizable_layer_type;
  if (std::find(wanted.begin(), wanted.end(), type) == wanted.end()) return std::nullopt;
  const auto input = SlotOfKind(*def, *node, InputKind::kActivation);
  const auto weight = SlotOfKind(*def, *node, InputKind::kWeight);
  if (!input || !weight) return std::nullopt;
  const Value* tensor = node->input(*weight);
  if (!tensor->is_initializer() || tensor->tensor().scalar_type() != at::kFloat) {
    return std::nullopt;
  }
  if (MatchesAny(config.not_quant_pattern, node->name()) ||
      MatchesAny(config.not_quant_pattern, tensor->name())) {
    return std::nullopt;
  }
  return Layer{node, *input, *weight, def->weight_axis(*node)};
}

FakeQuantizeSpec WeightSpec(const QuantConfig& config, int64_t axis) {
  const QuantizerDef& quantizer = *FindQuantizer(config.weight_quantize_type);
  return {.quantizer = config.weight_quantize_type,
          .bits = config.weight_bits,
          .axis = quantizer.per_channel ? axis : -1,
          .is_weight = true,
          .moving_rate = static_cast<float>(config.moving_rate),
          .window_size = config.window_size,
          .pact = config.weight_preprocess_type.has_value()};
}

FakeQuantizeSpec ActivationSpec(const QuantConfig& config) {
  return {.quantizer = config.activation_quantize_type,
          .bits = config.activation_bits,
          .axis = -1,
          .is_weight = false,
          .moving_rate = static_cast<float>(config.moving_rate),
          .window_size = config.window_size,
          .pact = config.activation_preprocess_type.has_value()};
}

// Collects tensors, each once per way of quantizing it.
class PlanBuilder {
 public:
  explicit PlanBuilder(const PactStart& pact) : pact_(pact) {}

  void Add(Node* node, size_t slot, FakeQuantizeSpec spec) {
    Value* value = node->input(slot);
    const auto key = std::make_tuple(value, spec.is_weight, spec.axis);
    const auto [entry, is_new] = index_.emplace(key, plan_.tensors.size());
    if (is_new) {
      spec.alpha_from_calibration = spec.pact && !pact_.alpha;
      plan_.tensors.push_back(
          {.value = value, .spec = spec, .alpha_start = spec.pact ? pact_.alpha : std::nullopt});
    }
    plan_.tensors[entry->second].uses.push_back({node, slot});
  }

  QuantPlan Take() { return std::move(plan_); }

 private:
  PactStart pact_;
  QuantPlan plan_;
  std::map<std::tuple<Value*, bool, int64_t>, size_t> index_;
};

}  // namespace

absl::StatusOr<QuantPlan> Annotate(const Graph& graph, const QuantConfig& config,
                                   const PactStart& pact) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, graph.TopologicalOrder());
  PlanBuilder builder(pact);
  for (Node* node : order) {
    const std::optional<Layer> layer = AsQuantizedLayer(node, config);
    if (!layer) continue;
    builder.Add(node, layer->input_slot, ActivationSpec(config));
    builder.Add(node, layer->weight_slot, WeightSpec(config, layer->weight_axis));
  }
  QuantPlan plan = builder.Take();
  if (plan.tensors.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("nothing would be quantized: the model has no layer of the types ",
                     absl::StrJoin(config.quantizable_layer_type, ", "),
                     " (quant_config.quantizable_layer_type) with a trained weight whose name is "
                     "not excluded by "
                     "quant_config.not_quant_pattern (",
                     absl::StrJoin(config.not_quant_pattern, ", "), ")"));
  }
  return plan;
}

bool FoldsBatchNormBeforeTraining(const QuantConfig& config) {
  return config.fuse_conv_bn || !FindQuantizer(config.weight_quantize_type)->per_channel;
}

}  // namespace quantry::engine
