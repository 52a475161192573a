#include "worker/engine/passes/annotate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/passes/layer_choices.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

bool IsPerChannel(absl::string_view quantizer) {
  const QuantizerDef* def = FindQuantizer(quantizer);
  return def != nullptr && def->per_channel;
}

FakeQuantizeSpec WeightSpec(const QuantConfig& config, const LayerChoice& choice) {
  return {.quantizer = choice.weight_quantize_type,
          .bits = choice.weight_bits,
          .axis = IsPerChannel(choice.weight_quantize_type) ? choice.layer.weight_axis : -1,
          .is_weight = true,
          .moving_rate = static_cast<float>(config.moving_rate),
          .window_size = config.window_size,
          .pact = config.weight_preprocess_type.has_value()};
}

FakeQuantizeSpec ActivationSpec(const QuantConfig& config, const LayerChoice& choice) {
  return {.quantizer = choice.activation_quantize_type,
          .bits = choice.activation_bits,
          .axis = -1,
          .is_weight = false,
          .symmetric = config.activation_symmetric,
          .moving_rate = static_cast<float>(config.moving_rate),
          .window_size = config.window_size,
          .pact = config.activation_preprocess_type.has_value()};
}

// Collects tensors, each once per way of quantizing it.
class PlanBuilder {
 public:
  explicit PlanBuilder(const PactStart& pact) : pact_(pact) {}

  void Add(Node* node, size_t slot, FakeQuantizeSpec spec) {
    PlannedFor(node->input(slot), std::move(spec)).uses.push_back({node, slot});
  }

  // All uses of the value that no layer has asked for itself.
  void AddOutput(Value* value, const FakeQuantizeSpec& spec) {
    for (const Use& use : value->uses()) {
      if (!IsTaken(use)) PlannedFor(value, spec).uses.push_back(use);
    }
  }

  QuantPlan Take() { return std::move(plan_); }

 private:
  PlannedTensor& PlannedFor(Value* value, FakeQuantizeSpec spec) {
    spec.alpha_from_calibration = spec.pact && !pact_.alpha;
    for (PlannedTensor& planned : plan_.tensors) {
      if (planned.value == value && planned.spec == spec) return planned;
    }
    const auto alpha_start = spec.pact ? pact_.alpha : std::nullopt;
    plan_.tensors.push_back({.value = value, .spec = std::move(spec), .alpha_start = alpha_start});
    return plan_.tensors.back();
  }

  bool IsTaken(const Use& use) const {
    return std::any_of(plan_.tensors.begin(), plan_.tensors.end(), [&](const auto& planned) {
      return std::find(planned.uses.begin(), planned.uses.end(), use) != planned.uses.end();
    });
  }

  PactStart pact_;
  QuantPlan plan_;
};

absl::Status CheckQuantizers(const LayerChoice& choice) {
  for (const std::string& name : {choice.weight_quantize_type, choice.activation_quantize_type}) {
    if (FindQuantizer(name) == nullptr) {
      return absl::UnimplementedError(absl::StrCat("the engine has no quantizer '", name, "'"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<QuantPlan> Annotate(const Graph& graph, const QuantConfig& config,
                                   const PactStart& pact) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<LayerChoice> choices, ChooseLayers(graph, config));
  PlanBuilder builder(pact);
  for (const LayerChoice& choice : choices) {
    QUANTRY_RETURN_IF_ERROR(CheckQuantizers(choice));
    Node* node = choice.layer.node;
    for (const size_t slot : choice.layer.activation_slots) {
      builder.Add(node, slot, ActivationSpec(config, choice));
    }
    if (choice.layer.weight_slot) {
      builder.Add(node, *choice.layer.weight_slot, WeightSpec(config, choice));
    }
  }
  for (const LayerChoice& choice : choices) {
    if (choice.layer.kind->tensors == QuantizedTensors::kOutput) {
      builder.AddOutput(choice.layer.node->output(), ActivationSpec(config, choice));
    }
  }
  return builder.Take();
}

bool FoldsBatchNormBeforeTraining(const QuantConfig& config) {
  const auto& overrides = config.overrides;
  return config.fuse_conv_bn || !IsPerChannel(config.weight_quantize_type) ||
         std::any_of(overrides.begin(), overrides.end(), [](const QuantOverride& entry) {
           return entry.weight_quantize_type && !IsPerChannel(*entry.weight_quantize_type);
         });
}

}  // namespace quantry::engine
