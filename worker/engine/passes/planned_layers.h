#ifndef QUANTRY_WORKER_ENGINE_PASSES_PLANNED_LAYERS_H_
#define QUANTRY_WORKER_ENGINE_PASSES_PLANNED_LAYERS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "worker/engine/passes/annotate.h"

namespace quantry::engine {

// A layer as the unit of which bits are chosen: a node with quantized inputs, or all the nodes that
// share a quantized weight, which can have only one width.
struct PlannedLayer {
  std::string name;     // of the first node
  std::string op_type;  // ONNX operator of the first node
  std::vector<const Node*> nodes;
  // Indices into QuantPlan::tensors of what its nodes read. An activation that several layers read
  // is in each of them.
  std::vector<size_t> tensors;
  int64_t weights = 0;      // elements of its weight; 0: no weight is quantized
  int weight_bits = 0;      // as planned; 0: no weight
  int activation_bits = 0;  // as planned, of the first quantized input; 0: none
};

// The layers of `plan` in the order in which it names them.
std::vector<PlannedLayer> LayersOf(const QuantPlan& plan);

// Width of a layer's weight and of its inputs, in [kMinQuantBits, kMaxQuantBits].
struct LayerBits {
  int weight = 8;
  int activation = 8;
  friend bool operator==(const LayerBits&, const LayerBits&) = default;
};

// The plan with other widths for the layers in `bits`, by PlannedLayer::name; all else stays. By
// exact name: a pattern of quant_config.overrides would also catch longer names. An activation that
// layers of different widths read is quantized once for each width. `plan` must be Annotate's, before
// FitToProfile.
QuantPlan WithBits(const QuantPlan& plan, const std::map<std::string, LayerBits>& bits);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_PLANNED_LAYERS_H_
