#include "worker/engine/passes/insert_fake_quant.h"

#include <ATen/ATen.h>

#include <algorithm>

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
  std::vector<int64_t> shape;
  if (spec.axis >= 0) shape.push_back(planned.value->tensor().size(spec.axis));
  const at::TensorOptions options = StateOptions(planned);
  const std::string& name = planned.value->name();
  const auto add = [&](absl::string_view suffix, at::IntArrayRef sizes, float fill,
                       InitializerRole role) {
    return graph.AddInitializer(absl::StrCat(name, suffix), at::full(sizes, fill, options), role);
  };
  std::vector<Value*> inputs(kFakeQuantizeInitialized + 1, nullptr);
  inputs[kFakeQuantizeX] = planned.value;
  inputs[kFakeQuantizeScale] = add(".scale", shape, kStartThreshold, InitializerRole::kBuffer);
  if (quantizer.averages) {
    inputs[kFakeQuantizeAccum] = add(".accum", shape, 0, InitializerRole::kBuffer);
    inputs[kFakeQuantizeState] = add(".state", shape, 0, InitializerRole::kBuffer);
  }
  if (spec.pact) {
    inputs[kFakeQuantizeAlpha] = add(".alpha", shape, planned.alpha_start.value_or(kStartThreshold),
                                     InitializerRole::kParameter);
  }
  inputs[kFakeQuantizeInitialized] = add(".initialized", {}, 0, InitializerRole::kBuffer);
  const Node* node =
      graph.AddNode(kFakeQuantizeOp, absl::StrCat(name, ".fake_quant"), inputs, ToAttributes(spec));
  node->output()->type = planned.value->type;
  for (const Use& use : planned.uses) graph.SetInput(use.node, use.index, node->output());
}

std::vector<Node*> FakeQuantizeNodes(const Graph& graph) {
  std::vector<Node*> nodes = graph.nodes();
  std::erase_if(nodes, [](const Node* node) { return node->op() != kFakeQuantizeOp; });
  return nodes;
}

}  // namespace

void InsertFakeQuant(Graph& graph, const QuantPlan& plan) {
  for (const PlannedTensor& planned : plan.tensors) InsertOne(graph, planned);
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
  std::sort(alphas.begin(), alphas.end(),
            [](const Value* a, const Value* b) { return a->name() < b->name(); });
  return alphas;
}

}  // namespace quantry::engine
