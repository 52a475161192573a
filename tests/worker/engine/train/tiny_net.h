#ifndef QUANTRY_TESTS_WORKER_ENGINE_TRAIN_TINY_NET_H_
#define QUANTRY_TESTS_WORKER_ENGINE_TRAIN_TINY_NET_H_

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

inline constexpr int64_t kTinyClasses = 16;

// input [?, 3, 32, 32] -> conv (stride 4) -> norm -> relu -> pool -> dropout -> fc -> 16 logits.
inline Graph BuildTinyNet(uint64_t seed) {
  at::manual_seed(seed);
  Graph graph;
  const auto parameter = [&](const char* name, const at::Tensor& tensor) {
    return graph.AddInitializer(name, tensor, InitializerRole::kParameter);
  };
  const auto buffer = [&](const char* name, const at::Tensor& tensor) {
    return graph.AddInitializer(name, tensor, InitializerRole::kBuffer);
  };
  Value* x = graph.AddInput(
      "input", {.dtype = at::kFloat, .shape = std::vector<Dimension>{std::nullopt, 3, 32, 32}});
  x = graph
          .AddNode("Conv", "conv", {x, parameter("conv.weight", at::randn({8, 3, 5, 5}) * 0.2)},
                   {{"kernel_shape", std::vector<int64_t>{5, 5}},
                    {"strides", std::vector<int64_t>{4, 4}}})
          ->output();
  x = graph
          .AddNode(
              "BatchNormalization", "norm",
              {x, parameter("norm.gamma", at::ones({8})), parameter("norm.beta", at::zeros({8})),
               buffer("norm.mean", at::zeros({8})), buffer("norm.var", at::ones({8}))})
          ->output();
  x = graph.AddNode("Relu", "relu", {x})->output();
  x = graph.AddNode("Flatten", "flatten", {x}, {{"axis", int64_t{1}}})->output();
  x = graph.AddNode("Dropout", "dropout", {x})->output();
  x = graph
          .AddNode("Gemm", "fc",
                   {x, parameter("fc.weight", at::randn({kTinyClasses, 8 * 49}) * 0.05),
                    parameter("fc.bias", at::zeros({kTinyClasses}))},
                   {{"transB", int64_t{1}}})
          ->output();
  graph.AddOutput(x);
  graph.Rename(x, "logits");
  return graph;
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_TRAIN_TINY_NET_H_
