#ifndef QUANTRY_WORKER_ENGINE_PASSES_LAYER_CHOICES_H_
#define QUANTRY_WORKER_ENGINE_PASSES_LAYER_CHOICES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/quant_config.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/passes/layer_kinds.h"

namespace quantry::engine {

// A layer that is quantized, and how: what quant_config says of it in particular.
struct LayerChoice {
  QuantLayer layer;
  std::string weight_quantize_type;
  std::string activation_quantize_type;
  int weight_bits = 8;
  int activation_bits = 8;
};

// The layers of the graph that are quantized, in topological order: those of the types in
// quantizable_layer_type that neither not_quant_pattern nor an override leaves in float. Bits come
// from the first override that matches, else from first_last_bits, else from the general keys.
// INVALID_ARGUMENT if that is no layer at all, or an override decides for none.
absl::StatusOr<std::vector<LayerChoice>> ChooseLayers(const Graph& graph,
                                                      const QuantConfig& config);

// Whether an override's pattern is of a layer of this name or weight's name.
bool MatchesPattern(absl::string_view pattern, absl::string_view name);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_LAYER_CHOICES_H_
