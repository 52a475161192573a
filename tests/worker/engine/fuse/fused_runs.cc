#include "tests/worker/engine/fuse/fused_runs.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "worker/engine/fuse/fused_operator.h"

namespace quantry::engine {

std::vector<std::vector<std::string>> Fused(const Graph& graph) {
  std::vector<std::vector<std::string>> names;
  for (const auto& fused : FindFusedOperators(graph, graph.TopologicalOrder().value())) {
    names.emplace_back();
    for (const Node* node : fused->nodes()) names.back().push_back(node->name());
  }
  return names;
}

std::unique_ptr<Executor> ExecutorOf(const Graph& graph, Fusing fusing) {
  auto executor = Executor::Create(graph, fusing);
  EXPECT_TRUE(executor.ok()) << executor.status();
  return *std::move(executor);
}

Results Train(const Graph& graph, std::vector<at::Tensor> inputs, const at::Tensor& dy,
              const EvaluateContext& context, Fusing fusing) {
  std::map<std::string, at::Tensor> leaves;
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i] = inputs[i].detach().requires_grad_(true);
    leaves[graph.inputs()[i]->name()] = inputs[i];
  }
  for (Value* parameter : graph.initializers(InitializerRole::kParameter)) {
    leaves[parameter->name()] = at::Tensor(parameter->tensor()).requires_grad_(true);
    leaves[parameter->name()].mutable_grad().reset();
  }
  const auto outputs = ExecutorOf(graph, fusing)->Run(inputs, context);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  outputs->at(0).backward(dy.to(outputs->at(0).scalar_type()));
  Results results = {{"y", outputs->at(0).detach()}};
  for (const auto& [name, leaf] : leaves) {
    results["d" + name] = leaf.grad().defined() ? leaf.grad().clone() : at::zeros_like(leaf);
  }
  return results;
}

Graph InDouble(const Graph& graph) {
  Graph clone = graph.Clone();
  for (const char* name : {"gamma", "beta", "mean", "variance", "weight", "bias"}) {
    Value* value = clone.FindValue(name);
    if (value != nullptr) clone.SetTensor(value, value->tensor().detach().to(at::kDouble));
  }
  return clone;
}

double Distance(const at::Tensor& a, const at::Tensor& b) {
  const double scale = std::max(1e-30, b.to(at::kDouble).abs().max().item<double>());
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>() / scale;
}

double MeanDistance(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor exact = b.to(at::kDouble);
  const double scale = std::max(1e-30, exact.norm().item<double>());
  return (a.to(at::kDouble) - exact).norm().item<double>() / scale;
}

at::Tensor Pixels(std::vector<int64_t> sizes) {
  const at::Tensor x = at::randn(sizes) * 2 + 0.5;
  return sizes.size() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

}  // namespace quantry::engine
