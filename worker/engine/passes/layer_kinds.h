#ifndef QUANTRY_WORKER_ENGINE_PASSES_LAYER_KINDS_H_
#define QUANTRY_WORKER_ENGINE_PASSES_LAYER_KINDS_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// Which of a layer's tensors are quantized.
enum class QuantizedTensors {
  kInputAndWeight,  // the input as an activation, the weight, an initializer, as a weight
  kInputs,          // every input as an activation; none may be an initializer
  kFirstInput,      // input 0 as an activation
  // The output, as an activation, for all that read it. The layer only moves values or picks the
  // largest, so that this is the same as one common quantizer on its inputs and its output, which
  // is what runtimes make of it when they move quantizers over such layers.
  kOutput,
};

// A layer type of quant_config. The instances are the lines of LayerKindTable().
struct LayerKind {
  absl::string_view type;  // as in quantizable_layer_type
  QuantizedTensors tensors;
};

absl::Span<const LayerKind> LayerKindTable();

// A node that can be quantized.
struct QuantLayer {
  Node* node = nullptr;
  const LayerKind* kind = nullptr;
  std::vector<size_t> activation_slots;  // input slots that get a quantized activation
  std::optional<size_t> weight_slot;
  int64_t weight_axis = 0;  // of the output channels

  // The weight's name; empty if there is none.
  std::string WeightName() const;
};

// The node as a layer; absent if it is of no kind, or its tensors are not the float32 ones that the
// kind asks for. `floats` are FloatValues of its graph.
std::optional<QuantLayer> AsQuantLayer(Node* node, const std::set<const Value*>& floats);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_PASSES_LAYER_KINDS_H_
