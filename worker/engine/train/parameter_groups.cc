#include "worker/engine/train/parameter_groups.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {
namespace {

bool Contains(const std::vector<Value*>& values, const Value* value) {
  return std::find(values.begin(), values.end(), value) != values.end();
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

void ReleaseParameters(Graph& graph) {
  for (Value* value : graph.initializers(InitializerRole::kParameter)) {
    graph.SetTensor(value, value->tensor().detach());
  }
}

std::vector<ParameterGroup> MakeParameterGroups(const Graph& graph, const TrainOptions& options) {
  ParameterGroup plain{.weight_decay = options.weight_decay};
  ParameterGroup alphas{.weight_decay = options.pact_weight_decay,
                        .learning_rate_factor = options.pact_learning_rate_factor};
  ParameterGroup undecayed{.weight_decay = options.decay_norm_and_bias ? options.weight_decay : 0};
  ParameterGroup steps;
  const std::vector<Value*> pact = PactAlphas(graph);
  const std::vector<Value*> learned = LearnedSteps(graph);
  for (const Value* value : graph.initializers(InitializerRole::kParameter)) {
    ParameterGroup& group = Contains(pact, value)       ? alphas
                            : Contains(learned, value)  ? steps
                            : value->tensor().dim() < 2 ? undecayed
                                                        : plain;
    group.parameters.push_back({value->name(), value->tensor()});
  }
  std::vector<ParameterGroup> groups;
  groups.push_back(std::move(plain));
  groups.push_back(std::move(undecayed));
  if (!alphas.parameters.empty()) groups.push_back(std::move(alphas));
  if (!steps.parameters.empty()) groups.push_back(std::move(steps));
  return groups;
}

}  // namespace quantry::engine
