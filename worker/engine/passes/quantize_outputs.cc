#include "worker/engine/passes/quantize_outputs.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "worker/engine/ops/operator.h"
#include "worker/engine/passes/clamp.h"
#include "worker/engine/passes/edit.h"
#include "worker/engine/passes/non_negative.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

constexpr int kKernelBits = 8;

// Input slots of a layer.
constexpr size_t kInput = 0;
constexpr size_t kWeight = 1;

// Whether the node is of a kind that quant_config quantizes: unplanned, it is to stay in float.
bool IsLayer(const Node& node) {
  const OperatorDef* def = FindOperator(node.op());
  return def != nullptr && def->layer_type != nullptr && !def->layer_type(node).empty();
}

class PlanExtension {
 public:
  PlanExtension(const Graph& graph, QuantPlan& plan) : graph_(graph), tensors_(plan.tensors) {
    for (size_t i = 0; i < tensors_.size(); ++i) {
      for (const Use& use : tensors_[i].uses) index_[{use.node, use.index}] = i;
    }
  }

  void Run(const std::vector<Node*>& order) {
    for (Node* node : order) {
      if (node->op() == "Conv") AddOutputOf(node);
      if (node->op() == "Add") AddInputsOf(node);
    }
  }

 private:
  std::optional<size_t> PlannedFor(const Use& use) const {
    const auto found = index_.find({use.node, use.index});
    return found == index_.end() ? std::nullopt : std::optional(found->second);
  }

  // The node and slot that alone read the value; absent if there are several or it leaves the
  // graph.
  std::optional<Use> OnlyUse(const Value& value) const {
    if (value.uses().size() != 1 || IsGraphOutput(graph_, &value)) return std::nullopt;
    return value.uses().front();
  }

  // The last value that may be quantized in place of the convolution's output. Null if that must
  // stay as it is.
  Value* TailOf(const Node& conv) const {
    Value* value = conv.output();
    for (std::optional<Use> use = OnlyUse(*value); use && use->index == 0; use = OnlyUse(*value)) {
      const bool norm = use->node->op() == "BatchNormalization" && value == conv.output() &&
                        use->node->outputs().size() == 1;
      if (!norm && !CommutesWithQuantizer(*use->node)) break;
      value = use->node->output();
    }
    return value->uses().empty() || IsGraphOutput(graph_, value) ? nullptr : value;
  }

  void AddOutputOf(Node* conv) {
    const auto input = PlannedFor({conv, kInput});
    const auto weight = PlannedFor({conv, kWeight});
    if (!input || !weight || tensors_[*input].spec.bits > kKernelBits ||
        tensors_[*weight].spec.bits > kKernelBits) {
      return;
    }
    Value* tail = TailOf(*conv);
    if (tail != nullptr) CoverAllUses(tail, *input);
  }

  // All that reads the value gets it quantized, with the settings of tensor `pattern` where there
  // is no quantizer yet. Nothing if a layer that is to stay in float reads it.
  void CoverAllUses(Value* value, size_t pattern) {
    std::set<std::optional<size_t>> covers;
    std::optional<size_t> with_kernel_bits;
    for (const Use& use : value->uses()) {
      const auto cover = PlannedFor(use);
      if (!cover && IsLayer(*use.node)) return;
      covers.insert(cover);
      if (cover && tensors_[*cover].spec.bits == kKernelBits) with_kernel_bits = cover;
    }
    if (covers.size() == 1 && covers.begin()->has_value()) return;
    const size_t cover = with_kernel_bits ? *with_kernel_bits : NewTensor(value, pattern);
    for (const Use& use : value->uses()) {
      if (!PlannedFor(use)) Join(cover, use);
    }
    // Those with other settings quantize what this one makes.
    tensors_[cover].first = true;
  }

  void AddInputsOf(Node* add) {
    std::optional<size_t> pattern;
    for (size_t slot = 0; slot < add->inputs().size(); ++slot) {
      if (!pattern) pattern = PlannedFor({add, slot});
    }
    if (!pattern || tensors_[*pattern].spec.bits != kKernelBits) return;
    for (size_t slot = 0; slot < add->inputs().size(); ++slot) {
      Value* value = add->input(slot);
      if (value->is_initializer() || PlannedFor({add, slot})) continue;
      CoverAllUses(value, *pattern);
    }
  }

  size_t NewTensor(Value* value, size_t pattern) {
    PlannedTensor tensor{.value = value,
                         .spec = tensors_[pattern].spec,
                         .alpha_start = tensors_[pattern].alpha_start};
    tensor.spec.bits = kKernelBits;
    tensors_.push_back(std::move(tensor));
    return tensors_.size() - 1;
  }

  void Join(size_t tensor, const Use& use) {
    tensors_[tensor].uses.push_back(use);
    index_[{use.node, use.index}] = tensor;
  }

  const Graph& graph_;
  std::vector<PlannedTensor>& tensors_;
  std::map<std::pair<Node*, size_t>, size_t> index_;
};

void UseUnsigned(const Graph& graph, QuantPlan& plan) {
  const std::set<const Value*> non_negative = NonNegativeValues(graph);
  for (PlannedTensor& tensor : plan.tensors) {
    const bool fits = !tensor.spec.is_weight && !FindQuantizer(tensor.spec.quantizer)->learned;
    if (fits && non_negative.contains(tensor.value)) tensor.spec.symmetric = false;
  }
}

}  // namespace

void FitToProfile(const Graph& graph, const QuantConfig& config, QuantPlan& plan) {
  const bool onnxruntime = config.profile == "onnxruntime";
  if (onnxruntime) {
    const auto order = graph.TopologicalOrder();
    if (order.ok()) PlanExtension(graph, plan).Run(*order);
  }
  const bool may_be_unsigned = config.activation_symmetric && !config.activation_dtype;
  if (may_be_unsigned && (onnxruntime || config.profile == "openvino")) UseUnsigned(graph, plan);
}

}  // namespace quantry::engine
