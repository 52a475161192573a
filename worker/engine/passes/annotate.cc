#include "worker/engine/passes/annotate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/quant_profile.h"
#include "common/status_macros.h"
#include "worker/engine/passes/layer_choices.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

bool IsPerChannel(absl::string_view quantizer) {
  const QuantizerDef* def = FindQuantizer(quantizer);
  return def != nullptr && def->per_channel;
}

// What holds for every tensor alike.
void ApplyGeneral(const QuantConfig& config, FakeQuantizeSpec& spec) {
  spec.moving_rate = static_cast<float>(config.moving_rate);
  spec.window_size = config.window_size;
  spec.calibrator = config.calibrator;
  spec.calibrator_percentile = static_cast<float>(config.calibrator_percentile);
  if (FindQuantProfile(config.profile)->follows_reference) UseReference(spec);
}

FakeQuantizeSpec WeightSpec(const QuantConfig& config, const LayerChoice& choice) {
  FakeQuantizeSpec spec = {
      .quantizer = choice.weight_quantize_type,
      .bits = choice.weight_bits,
      .axis = IsPerChannel(choice.weight_quantize_type) ? choice.layer.weight_axis : -1,
      .is_weight = true,
      .pact = config.weight_preprocess_type.has_value()};
  ApplyGeneral(config, spec);
  return spec;
}

FakeQuantizeSpec ActivationSpec(const QuantConfig& config, const LayerChoice& choice) {
  FakeQuantizeSpec spec = {.quantizer = choice.activation_quantize_type,
                           .bits = choice.activation_bits,
                           .axis = -1,
                           .is_weight = false,
                           .symmetric = config.activation_symmetric,
                           .pact = config.activation_preprocess_type.has_value(),
                           .fills_type = true};
  ApplyGeneral(config, spec);
  return spec;
}

// Whether a reader takes the values and not only their shape.
bool ReadsValues(const Node& node) { return node.op() != "Shape" && node.op() != "Size"; }

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
      if (ReadsValues(*use.node) && !IsTaken(use)) PlannedFor(value, spec).uses.push_back(use);
    }
  }

  void AddLayer(Node* node) { plan_.layers.push_back(node); }

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
    builder.AddLayer(node);
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
  QuantPlan plan = builder.Take();
  if (config.output_scales) plan.output_moving_rate = config.moving_rate;
  return plan;
}

bool FoldsBatchNormBeforeTraining(const QuantConfig& config) {
  const auto& overrides = config.overrides;
  return config.fuse_conv_bn || !IsPerChannel(config.weight_quantize_type) ||
         std::any_of(overrides.begin(), overrides.end(), [](const QuantOverride& entry) {
           return entry.weight_quantize_type && !IsPerChannel(*entry.weight_quantize_type);
         });
}

}  // namespace quantry::engine
