#include "worker/engine/passes/insert_fake_quant.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/ops/observe_output.h"
#include "worker/engine/passes/output_scales.h"
#include "worker/engine/quant/observers.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

// The state's tensors live where the weights do.
at::TensorOptions StateOptions(const PlannedTensor& planned) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  return planned.value->is_initializer() ? options.device(planned.value->tensor().device())
                                         : options;
}

// Makes the initializers that one FakeQuantize node needs.
class StateBuilder {
 public:
  StateBuilder(Graph& graph, const PlannedTensor& planned)
      : graph_(graph),
        planned_(planned),
        quantizer_(*FindQuantizer(planned.spec.quantizer)),
        options_(StateOptions(planned)),
        symmetric_(planned.spec.symmetric && !quantizer_.learned_offset) {
    if (planned.spec.axis >= 0) {
      channels_.push_back(planned.value->tensor().size(planned.spec.axis));
    }
    scale_ = symmetric_ || quantizer_.learned ? channels_ : std::vector<int64_t>{2};
  }

  // The inputs of the node.
  std::vector<Value*> Build() {
    std::vector<Value*> inputs(kFakeQuantizeZeroPoint + 1, nullptr);
    inputs[kFakeQuantizeX] = planned_.value;
    inputs[kFakeQuantizeScale] =
        Add(quantizer_.learned ? ".learned_step" : ".scale", scale_, kStartThreshold,
            quantizer_.learned ? InitializerRole::kParameter : InitializerRole::kBuffer);
    if (quantizer_.history == History::kSums) AddSums(inputs);
    if (quantizer_.history == History::kWindow) AddWindow(inputs);
    if (planned_.spec.pact) {
      inputs[kFakeQuantizeAlpha] =
          Add(".alpha", channels_, planned_.alpha_start.value_or(kStartThreshold),
              InitializerRole::kParameter);
    }
    inputs[kFakeQuantizeInitialized] = Add(".initialized", {}, 0);
    if (quantizer_.learned_offset) {
      inputs[kFakeQuantizeOffset] = Add(".learned_offset", {}, 0, InitializerRole::kParameter);
    } else if (quantizer_.learned && !symmetric_) {
      inputs[kFakeQuantizeZeroPoint] = Add(".zero_point", {}, 0);
    }
    while (inputs.back() == nullptr) inputs.pop_back();
    return inputs;
  }

 private:
  Value* AddTensor(absl::string_view suffix, const at::Tensor& tensor, InitializerRole role) {
    return graph_.AddInitializer(absl::StrCat(planned_.value->name(), suffix), tensor, role);
  }

  Value* Add(absl::string_view suffix, at::IntArrayRef sizes, float fill,
             InitializerRole role = InitializerRole::kBuffer) {
    return AddTensor(suffix, at::full(sizes, fill, options_), role);
  }

  void AddSums(std::vector<Value*>& inputs) {
    const bool range = quantizer_.learned && !symmetric_;
    const bool counted = planned_.spec.reference_start && !quantizer_.learned;
    const float start = counted ? 1 : 0;
    const std::vector<int64_t> sums = range ? std::vector<int64_t>{kLearnedRangeSums} : scale_;
    inputs[kFakeQuantizeAccum] = Add(".accum", sums, start);
    inputs[kFakeQuantizeState] = Add(".state", scale_, start);
  }

  void AddWindow(std::vector<Value*>& inputs) {
    std::vector<int64_t> window = scale_;
    window.insert(window.begin(), planned_.spec.window_size);
    inputs[kFakeQuantizeWindow] = Add(".window", window, 0);
    inputs[kFakeQuantizeCount] =
        AddTensor(".count", at::zeros({}, options_.dtype(at::kLong)), InitializerRole::kBuffer);
  }

  Graph& graph_;
  const PlannedTensor& planned_;
  const QuantizerDef& quantizer_;
  const at::TensorOptions options_;
  const bool symmetric_;
  std::vector<int64_t> channels_;
  std::vector<int64_t> scale_;  // the shape of the scale
};

void InsertOne(Graph& graph, const PlannedTensor& planned) {
  const std::vector<Value*> inputs = StateBuilder(graph, planned).Build();
  const Node* node =
      graph.AddNode(kFakeQuantizeOp, absl::StrCat(planned.value->name(), ".fake_quant"), inputs,
                    ToAttributes(planned.spec));
  node->output()->type = planned.value->type;
  const std::vector<Use> uses = planned.first ? planned.value->uses() : planned.uses;
  for (const Use& use : uses) {
    const bool reads = use.node != node && use.node->op() != kObserveOutputOp;
    if (reads) graph.SetInput(use.node, use.index, node->output());
  }
}

std::vector<Node*> FakeQuantizeNodes(const Graph& graph) {
  std::vector<Node*> nodes = graph.nodes();
  std::erase_if(nodes, [](const Node* node) { return node->op() != kFakeQuantizeOp; });
  return nodes;
}

std::vector<Value*> SortedByName(std::vector<Value*> values) {
  std::sort(values.begin(), values.end(),
            [](const Value* a, const Value* b) { return a->name() < b->name(); });
  return values;
}

}  // namespace

void InsertFakeQuant(Graph& graph, const QuantPlan& plan) {
  if (plan.output_moving_rate) FollowOutputs(graph, plan);
  for (const PlannedTensor& planned : plan.tensors) {
    if (!planned.first) InsertOne(graph, planned);
  }
  for (const PlannedTensor& planned : plan.tensors) {
    if (planned.first) InsertOne(graph, planned);
  }
}

void RemoveFakeQuant(Graph& graph) {
  for (Node* node : FakeQuantizeNodes(graph)) {
    graph.ReplaceAllUses(node->output(), node->input(kFakeQuantizeX));
    graph.RemoveNode(node);
  }
  graph.RemoveDead();
}

std::vector<Value*> PactAlphas(const Graph& graph) {
  std::vector<Value*> alphas;
  for (const Node* node : FakeQuantizeNodes(graph)) {
    if (Value* alpha = node->input(kFakeQuantizeAlpha)) alphas.push_back(alpha);
  }
  return SortedByName(std::move(alphas));
}

std::vector<Value*> LearnedSteps(const Graph& graph) {
  std::vector<Value*> steps;
  for (const Node* node : FakeQuantizeNodes(graph)) {
    if (FindQuantizer(SpecOf(*node).quantizer)->learned) {
      steps.push_back(node->input(kFakeQuantizeScale));
    }
    if (Value* offset = node->input(kFakeQuantizeOffset)) steps.push_back(offset);
  }
  return SortedByName(std::move(steps));
}

}  // namespace quantry::engine
