#include "worker/engine/passes/insert_fake_quant.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

// The state's tensors live where the weights do.
at::TensorOptions StateOptions(const PlannedTensor& planned) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  return planned.value->is_initializer() ? options.device(planned.value->tensor().device())
                                         : options;
}

void InsertOne(Graph& graph, const PlannedTensor& planned) {
  const FakeQuantizeSpec& spec = planned.spec;
  const QuantizerDef& quantizer = *FindQuantizer(spec.quantizer);
  std::vector<int64_t> channels;
  if (spec.axis >= 0) channels.push_back(planned.value->tensor().size(spec.axis));
  const std::vector<int64_t> shape = spec.symmetric ? channels : std::vector<int64_t>{2};
  const at::TensorOptions options = StateOptions(planned);
  const std::string& name = planned.value->name();
  const auto add_tensor = [&](absl::string_view suffix, const at::Tensor& tensor,
                              InitializerRole role) {
    return graph.AddInitializer(absl::StrCat(name, suffix), tensor, role);
  };
  const auto add = [&](absl::string_view suffix, at::IntArrayRef sizes, float fill,
                       InitializerRole role) {
    return add_tensor(suffix, at::full(sizes, fill, options), role);
  };
  std::vector<Value*> inputs(kFakeQuantizeCount + 1, nullptr);
  inputs[kFakeQuantizeX] = planned.value;
  inputs[kFakeQuantizeScale] =
      add(quantizer.learned ? ".learned_step" : ".scale", shape, kStartThreshold,
          quantizer.learned ? InitializerRole::kParameter : InitializerRole::kBuffer);
  if (quantizer.history == History::kSums) {
    inputs[kFakeQuantizeAccum] = add(".accum", shape, 0, InitializerRole::kBuffer);
    inputs[kFakeQuantizeState] = add(".state", shape, 0, InitializerRole::kBuffer);
  }
  if (quantizer.history == History::kWindow) {
    std::vector<int64_t> window = shape;
    window.insert(window.begin(), spec.window_size);
    inputs[kFakeQuantizeWindow] = add(".window", window, 0, InitializerRole::kBuffer);
    inputs[kFakeQuantizeCount] =
        add_tensor(".count", at::zeros({}, options.dtype(at::kLong)), InitializerRole::kBuffer);
  }
  if (spec.pact) {
    inputs[kFakeQuantizeAlpha] =
        add(".alpha", channels, planned.alpha_start.value_or(kStartThreshold),
            InitializerRole::kParameter);
  }
  inputs[kFakeQuantizeInitialized] = add(".initialized", {}, 0, InitializerRole::kBuffer);
  const Node* node =
      graph.AddNode(kFakeQuantizeOp, absl::StrCat(name, ".fake_quant"), inputs, ToAttributes(spec));
  node->output()->type = planned.value->type;
  const std::vector<Use> uses = planned.first ? planned.value->uses() : planned.uses;
  for (const Use& use : uses) {
    if (use.node != node) graph.SetInput(use.node, use.index, node->output());
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
  }
  return SortedByName(std::move(steps));
}

}  // namespace quantry::engine
