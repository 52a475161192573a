#include "worker/engine/train/parameter_groups.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

namespace quantry::engine {
namespace {

constexpr size_t kAlphaInput = 4;  // slot of PACT's alpha in quantry.FakeQuantize

bool IsPactAlpha(const Value& value) {
  return std::any_of(value.uses().begin(), value.uses().end(), [](const Use& use) {
    return use.node->op() == "quantry.FakeQuantize" && use.index == kAlphaInput;
  });
}

}  // namespace

void PrepareParameters(Graph& graph) {
  for (Value* value : graph.initializers(InitializerRole::kParameter)) {
    at::Tensor tensor = value->tensor().detach();
    tensor = tensor.contiguous(tensor.dim() == 4 ? at::MemoryFormat::ChannelsLast
                                                 : at::MemoryFormat::Contiguous);
    graph.SetTensor(value, tensor.requires_grad_(true));
  }
}

std::vector<ParameterGroup> MakeParameterGroups(const Graph& graph, const TrainOptions& options) {
  ParameterGroup plain{.weight_decay = options.weight_decay};
  ParameterGroup alphas{.weight_decay = options.pact_weight_decay,
                        .learning_rate_factor = options.pact_learning_rate_factor};
  for (const Value* value : graph.initializers(InitializerRole::kParameter)) {
    ParameterGroup& group = IsPactAlpha(*value) ? alphas : plain;
    group.parameters.push_back({value->name(), value->tensor()});
  }
  std::vector<ParameterGroup> groups;
  groups.push_back(std::move(plain));
  if (!alphas.parameters.empty()) groups.push_back(std::move(alphas));
  return groups;
}

}  // namespace quantry::engine
