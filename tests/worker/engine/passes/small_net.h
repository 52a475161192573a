#ifndef QUANTRY_TESTS_WORKER_ENGINE_PASSES_SMALL_NET_H_
#define QUANTRY_TESTS_WORKER_ENGINE_PASSES_SMALL_NET_H_

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

inline constexpr int64_t kSmallNetClasses = 5;

// Conv and, with `norm`, BatchNorm, whose gammas are of all signs and, in channel 0, zero.
inline Value* AddConv(Graph& graph, const std::string& name, Value* x, int64_t in, int64_t out,
                      int64_t groups, bool norm) {
  const auto parameter = [&](const char* suffix, const at::Tensor& tensor) {
    return graph.AddInitializer(name + suffix, tensor, InitializerRole::kParameter);
  };
  const auto buffer = [&](const char* suffix, const at::Tensor& tensor) {
    return graph.AddInitializer(name + suffix, tensor, InitializerRole::kBuffer);
  };
  std::vector<Value*> inputs = {x, parameter(".weight", at::randn({out, in / groups, 3, 3}) * 0.3)};
  if (!norm) inputs.push_back(parameter(".bias", at::randn({out}) * 0.2));
  Value* y = graph
                 .AddNode("Conv", name, inputs,
                          {{"pads", std::vector<int64_t>{1, 1, 1, 1}},
                           {"kernel_shape", std::vector<int64_t>{3, 3}},
                           {"group", groups}})
                 ->output();
  if (!norm) return y;
  at::Tensor gamma = at::randn({out});
  gamma[0] = 0;
  gamma[1] = -gamma[1].abs() - 0.1;
  return graph
      .AddNode("BatchNormalization", name + ".norm",
               {y, parameter(".gamma", gamma), parameter(".beta", at::randn({out})),
                buffer(".mean", at::randn({out}) * 0.2), buffer(".var", at::rand({out}) + 0.5)},
               {{"epsilon", 1e-5f}})
      ->output();
}

// input [?, 3, 8, 8] -> stem (Conv, BatchNorm, Relu) -> depthwise (Conv, BatchNorm, Relu), and
// beside it skip (Conv with bias) of the same tensor -> Add -> pool -> Dropout -> Gemm -> "logits".
inline Graph BuildSmallNet(uint64_t seed) {
  at::manual_seed(seed);
  Graph graph;
  Value* input = graph.AddInput(
      "input", {.dtype = at::kFloat, .shape = std::vector<Dimension>{std::nullopt, 3, 8, 8}});
  Value* x = AddConv(graph, "stem", input, 3, 8, 1, /*norm=*/true);
  x = graph.AddNode("Relu", "stem.relu", {x})->output();
  Value* skip = AddConv(graph, "skip", x, 8, 8, 1, /*norm=*/false);
  x = AddConv(graph, "depthwise", x, 8, 8, 8, /*norm=*/true);
  x = graph.AddNode("Relu", "depthwise.relu", {x})->output();
  x = graph.AddNode("Add", "join", {x, skip})->output();
  x = graph.AddNode("GlobalAveragePool", "pool", {x})->output();
  x = graph.AddNode("Flatten", "flatten", {x}, {{"axis", int64_t{1}}})->output();
  x = graph.AddNode("Dropout", "dropout", {x})->output();
  Value* weight = graph.AddInitializer("head.weight", at::randn({kSmallNetClasses, 8}),
                                       InitializerRole::kParameter);
  Value* bias =
      graph.AddInitializer("head.bias", at::randn({kSmallNetClasses}), InitializerRole::kParameter);
  x = graph.AddNode("Gemm", "head", {x, weight, bias}, {{"transB", int64_t{1}}}, {"logits"})
          ->output();
  x->type = {.dtype = at::kFloat, .shape = std::vector<Dimension>{std::nullopt, kSmallNetClasses}};
  graph.AddOutput(x);
  return graph;
}

// Runs a graph of one input and one output; errors throw.
inline at::Tensor RunGraph(const Graph& graph, const at::Tensor& x,
                           RunPhase phase = RunPhase::kEvaluate) {
  const at::NoGradGuard no_grad;
  const auto executor = Executor::Create(graph).value();
  return executor->Run({x}, {.phase = phase}).value().at(0);
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_PASSES_SMALL_NET_H_
