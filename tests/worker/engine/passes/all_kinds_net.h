#ifndef QUANTRY_TESTS_WORKER_ENGINE_PASSES_ALL_KINDS_NET_H_
#define QUANTRY_TESTS_WORKER_ENGINE_PASSES_ALL_KINDS_NET_H_

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/engine/graph/graph.h"

namespace quantry::engine {

inline Value* AddParameter(Graph& graph, const std::string& name, at::IntArrayRef shape) {
  return graph.AddInitializer(name, at::randn(shape) * 0.3, InitializerRole::kParameter);
}

inline Value* AddFloatInput(Graph& graph, const std::string& name, std::vector<int64_t> sizes) {
  std::vector<Dimension> shape = {std::nullopt};
  for (const int64_t size : sizes) shape.emplace_back(size);
  return graph.AddInput(name, {.dtype = at::kFloat, .shape = shape});
}

// A graph with one layer of every kind, each named after its type in lower case ("conv1d"), its
// weight "conv1d.weight". Inputs and outputs: seq [?, 4, 8], pic [?, 4, 8, 8], vol [?, 2, 4, 4, 4],
// tokens [?, 5, 8]. Between them is integer arithmetic on shapes with Add, Mul and Concat nodes.
inline Graph BuildAllKindsNet() {
  at::manual_seed(3);
  Graph graph;
  const auto node = [&](const char* op, const char* name, std::vector<Value*> inputs,
                        AttributeMap attributes = {}) {
    return graph.AddNode(op, name, std::move(inputs), std::move(attributes))->output();
  };
  const auto ints = [](std::vector<int64_t> values) { return values; };

  Value* seq = AddFloatInput(graph, "seq", {4, 8});
  Value* x = node("Conv", "conv1d", {seq, AddParameter(graph, "conv1d.weight", {6, 4, 3})});
  x = node("ConvTranspose", "conv1dtranspose",
           {x, AddParameter(graph, "conv1dtranspose.weight", {6, 2, 3})});
  graph.AddOutput(x);

  Value* pic = AddFloatInput(graph, "pic", {4, 8, 8});
  x = node("Conv", "conv2d", {pic, AddParameter(graph, "conv2d.weight", {8, 4, 3, 3})},
           {{"pads", ints({1, 1, 1, 1})}});
  x = node("Relu", "relu", {x});
  x = node("MaxPool", "maxpool", {x}, {{"kernel_shape", ints({2, 2})}, {"strides", ints({2, 2})}});
  // Two groups: the weight's axis 1 has the 3 output channels of each.
  x = node("ConvTranspose", "conv2dtranspose",
           {x, AddParameter(graph, "conv2dtranspose.weight", {8, 3, 2, 2})},
           {{"group", int64_t{2}}});
  x = node("AveragePool", "averagepool", {x}, {{"kernel_shape", ints({2, 2})}});
  x = node("GlobalAveragePool", "globalaveragepool", {x});
  x = node("Flatten", "flatten", {x});
  x = node("Gemm", "linear", {x, AddParameter(graph, "linear.weight", {5, 6})},
           {{"transB", int64_t{1}}});
  graph.AddOutput(x);

  Value* vol = AddFloatInput(graph, "vol", {2, 4, 4, 4});
  x = node("Conv", "conv3d", {vol, AddParameter(graph, "conv3d.weight", {3, 2, 2, 2, 2})});
  x = node("ConvTranspose", "conv3dtranspose",
           {x, AddParameter(graph, "conv3dtranspose.weight", {3, 2, 2, 2, 2})});
  graph.AddOutput(x);

  Value* tokens = AddFloatInput(graph, "tokens", {5, 8});
  Value* query = node("Sigmoid", "query", {tokens});
  Value* turned = node("Transpose", "turn", {tokens}, {{"perm", ints({0, 2, 1})}});
  Value* scores = node("MatMul", "matmul", {query, turned});
  Value* mixed = node("MatMul", "mix", {scores, query});
  x = node("Mul", "mul", {mixed, query});
  x = node("Add", "add", {x, tokens});
  x = node("Concat", "concat", {x, tokens}, {{"axis", int64_t{2}}});
  x = node("Relu", "last", {x});
  Value* size = node("Shape", "size", {x});
  Value* sum = node("Add", "sizes.add", {size, size});
  Value* product = node("Mul", "sizes.mul", {sum, size});
  Value* both = node("Concat", "sizes.concat", {product, size}, {{"axis", int64_t{0}}});
  graph.AddOutput(x);
  graph.AddOutput(both);
  return graph;
}

inline std::vector<at::Tensor> AllKindsInputs() {
  return {at::randn({2, 4, 8}), at::randn({2, 4, 8, 8}), at::randn({2, 2, 4, 4, 4}),
          at::randn({2, 5, 8})};
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_PASSES_ALL_KINDS_NET_H_
