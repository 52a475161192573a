#include "worker/engine/passes/layer_choices.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "worker/engine/passes/float_values.h"

namespace quantry::engine {
namespace {

constexpr size_t kMostNamed = 8;

bool ContainsAny(const std::vector<std::string>& patterns, absl::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return absl::StrContains(name, pattern); });
}

bool IsWanted(const QuantLayer& layer, const QuantConfig& config) {
  const auto& types = config.quantizable_layer_type;
  return std::find(types.begin(), types.end(), layer.kind->type) != types.end() &&
         !ContainsAny(config.not_quant_pattern, layer.node->name()) &&
         !ContainsAny(config.not_quant_pattern, layer.WeightName());
}

bool Matches(const QuantOverride& entry, const QuantLayer& layer) {
  return MatchesPattern(entry.pattern, layer.node->name()) ||
         (layer.weight_slot && MatchesPattern(entry.pattern, layer.WeightName()));
}

// The nodes of `layers` that no other of them precedes, and those that none follows.
std::set<const Node*> FirstAndLast(const std::vector<Node*>& order,
                                   const std::set<const Node*>& layers) {
  std::set<const Node*> ends;
  std::set<const Value*> after;  // values computed from a layer's output
  for (const Node* node : order) {
    const bool behind = std::any_of(node->inputs().begin(), node->inputs().end(),
                                    [&](const Value* input) { return after.contains(input); });
    if (layers.contains(node) && !behind) ends.insert(node);
    if (!behind && !layers.contains(node)) continue;
    after.insert(node->outputs().begin(), node->outputs().end());
  }
  std::set<const Value*> before;  // values that a layer's input is computed from
  for (auto node = order.rbegin(); node != order.rend(); ++node) {
    const auto& outputs = (*node)->outputs();
    const bool ahead = std::any_of(outputs.begin(), outputs.end(),
                                   [&](const Value* output) { return before.contains(output); });
    if (layers.contains(*node) && !ahead) ends.insert(*node);
    if (!ahead && !layers.contains(*node)) continue;
    before.insert((*node)->inputs().begin(), (*node)->inputs().end());
  }
  return ends;
}

// Those with a weight, or all where none has one.
std::set<const Node*> LayersThatCount(const std::vector<LayerChoice>& choices) {
  std::set<const Node*> weighted;
  std::set<const Node*> all;
  for (const LayerChoice& choice : choices) {
    all.insert(choice.layer.node);
    if (choice.layer.weight_slot) weighted.insert(choice.layer.node);
  }
  return weighted.empty() ? all : weighted;
}

void ApplyFirstLast(const std::vector<Node*>& order, int bits, std::vector<LayerChoice>& choices) {
  const std::set<const Node*> ends = FirstAndLast(order, LayersThatCount(choices));
  for (LayerChoice& choice : choices) {
    if (ends.contains(choice.layer.node)) choice.weight_bits = choice.activation_bits = bits;
  }
}

void Apply(const QuantOverride& entry, LayerChoice& choice) {
  choice.weight_bits = entry.weight_bits.value_or(choice.weight_bits);
  choice.activation_bits = entry.activation_bits.value_or(choice.activation_bits);
  choice.weight_quantize_type = entry.weight_quantize_type.value_or(choice.weight_quantize_type);
  choice.activation_quantize_type =
      entry.activation_quantize_type.value_or(choice.activation_quantize_type);
}

absl::Status NothingQuantized(const QuantConfig& config) {
  return absl::InvalidArgumentError(absl::StrCat(
      "nothing would be quantized: the model has no layer of the types ",
      absl::StrJoin(config.quantizable_layer_type, ", "),
      " (quant_config.quantizable_layer_type) with a trained weight, where the type has one, whose "
      "name is not excluded by quant_config.not_quant_pattern (",
      absl::StrJoin(config.not_quant_pattern, ", "), ") or quant_config.overrides"));
}

absl::Status Undecisive(size_t index, const QuantOverride& entry,
                        const std::vector<QuantLayer>& layers) {
  const bool matches = std::any_of(layers.begin(), layers.end(),
                                   [&](const QuantLayer& layer) { return Matches(entry, layer); });
  std::vector<std::string> names;
  for (const QuantLayer& layer : layers) names.push_back(layer.node->name());
  if (names.size() > kMostNamed) {
    names.resize(kMostNamed);
    names.emplace_back("...");
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "quant_config.overrides[", index, "].pattern is \"", entry.pattern, "\", which ",
      matches ? "decides for no layer, as an earlier entry decides for all that it matches; put it "
                "first, or bind patterns to the name's ends with ^ and $"
              : "is in the name of no layer that would be quantized, nor of its weight",
      "; layers: ", absl::StrJoin(names, ", ")));
}

// The entry that decides for each layer, or null.
absl::StatusOr<std::vector<const QuantOverride*>> Deciding(const QuantConfig& config,
                                                           const std::vector<QuantLayer>& layers) {
  const auto& overrides = config.overrides;
  std::vector<const QuantOverride*> deciding;
  std::set<const QuantOverride*> used;
  for (const QuantLayer& layer : layers) {
    const auto entry = std::find_if(overrides.begin(), overrides.end(), [&](const auto& candidate) {
      return Matches(candidate, layer);
    });
    deciding.push_back(entry == overrides.end() ? nullptr : &*entry);
    used.insert(deciding.back());
  }
  for (size_t i = 0; i < overrides.size() && !layers.empty(); ++i) {
    if (!used.contains(&overrides[i])) return Undecisive(i, overrides[i], layers);
  }
  return deciding;
}

}  // namespace

bool MatchesPattern(absl::string_view pattern, absl::string_view name) {
  const bool from_start = absl::ConsumePrefix(&pattern, "^");
  const bool to_end = absl::ConsumeSuffix(&pattern, "$");
  if (from_start && to_end) return name == pattern;
  if (from_start) return absl::StartsWith(name, pattern);
  if (to_end) return absl::EndsWith(name, pattern);
  return absl::StrContains(name, pattern);
}

absl::StatusOr<std::vector<LayerChoice>> ChooseLayers(const Graph& graph,
                                                      const QuantConfig& config) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, graph.TopologicalOrder());
  const std::set<const Value*> floats = FloatValues(graph, order);
  std::vector<QuantLayer> layers;
  for (Node* node : order) {
    const std::optional<QuantLayer> layer = AsQuantLayer(node, floats);
    if (layer && IsWanted(*layer, config)) layers.push_back(*layer);
  }
  QUANTRY_ASSIGN_OR_RETURN(const auto deciding, Deciding(config, layers));
  std::vector<LayerChoice> choices;
  std::vector<const QuantOverride*> own;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (deciding[i] != nullptr && deciding[i]->skip) continue;
    choices.push_back({.layer = layers[i],
                       .weight_quantize_type = config.weight_quantize_type,
                       .activation_quantize_type = config.activation_quantize_type,
                       .weight_bits = config.weight_bits,
                       .activation_bits = config.activation_bits});
    own.push_back(deciding[i]);
  }
  if (choices.empty()) return NothingQuantized(config);
  if (config.first_last_bits) ApplyFirstLast(order, *config.first_last_bits, choices);
  for (size_t i = 0; i < choices.size(); ++i) {
    if (own[i] != nullptr) Apply(*own[i], choices[i]);
  }
  return choices;
}

}  // namespace quantry::engine
