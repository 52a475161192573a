#include "worker/engine/fuse/run_value.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/engine/fuse/chain_graph.h"
#include "tests/worker/engine/fuse/fused_runs.h"

namespace quantry::engine {
namespace {

// An operator that is said to keep the grid: its node, and the constants that it reads beside x.
struct KeepingOp {
  const char* op;
  std::vector<at::Tensor> constants = {};
  AttributeMap attributes = {};
};

std::vector<KeepingOp> KeepingOps() {
  const auto ints = [](std::vector<int64_t> values) { return at::tensor(values, at::kLong); };
  const std::vector<int64_t> two = {2, 2};
  return {{"DepthToSpace", {}, {{"blocksize", int64_t{2}}}},
          {"Flatten"},
          {"Identity"},
          {"MaxPool", {}, {{"kernel_shape", two}, {"strides", two}}},
          {"Reshape", {ints({0, 2, -1})}},
          {"Slice", {ints({1}), ints({3}), ints({1})}},
          {"SpaceToDepth", {}, {{"blocksize", int64_t{2}}}},
          {"Squeeze", {ints({0})}},
          {"Transpose", {}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}}},
          {"Unsqueeze", {ints({0})}}};
}

// A quantizer "outer" of x, and the operator behind it, whose outputs are both the graph's.
Graph GraphOf(const KeepingOp& keeping) {
  Graph graph = ChainGraph({.norm = false, .activation = ""}, 4);
  std::vector<Value*> inputs = {graph.outputs()[0]};
  for (const at::Tensor& constant : keeping.constants) {
    inputs.push_back(graph.AddInitializer("constant" + std::to_string(inputs.size()), constant,
                                          InitializerRole::kConstant));
  }
  Value* y = graph.AddNode(keeping.op, "keeping", inputs, keeping.attributes)->output();
  graph.AddOutput(y);
  return graph;
}

TEST(KeepsGrid, IntegersGoThroughAsTheirValuesDo) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({1, 4, 6, 6}).contiguous(at::MemoryFormat::ChannelsLast);
  for (const KeepingOp& keeping : KeepingOps()) {
    ASSERT_TRUE(KeepsGrid(keeping.op)) << keeping.op;
    const Graph graph = GraphOf(keeping);
    EvaluateContext context = {.phase = RunPhase::kEvaluate};
    const auto values = ExecutorOf(graph, Fusing::kOn)->Run({x}, context);
    context.precision = Precision::kBf16;
    const auto integers = ExecutorOf(graph, Fusing::kOn)->Run({x}, context);
    ASSERT_TRUE(values.ok() && integers.ok()) << keeping.op << integers.status();
    EXPECT_EQ(integers->at(1).scalar_type(), at::kFloat) << keeping.op;
    EXPECT_TRUE(at::equal(values->at(1), integers->at(1))) << keeping.op;
  }
}

TEST(KeepsGrid, NotWhereValuesAreMade) {
  for (const char* op : {"AveragePool", "Relu", "Mul", "Concat", "Resize", "Pad"}) {
    EXPECT_FALSE(KeepsGrid(op)) << op;
  }
}

TEST(Plain, IsStepsTimesIntegersAndHandsGradientsOn) {
  const at::Tensor integers = at::tensor({-3.0f, 0.0f, 127.0f}).to(at::kBFloat16);
  const at::Tensor leaf = integers.detach().requires_grad_(true);
  const at::Tensor value = Plain({.tensor = leaf, .step = 0.25f});
  EXPECT_TRUE(at::equal(value.detach(), at::tensor({-0.75f, 0.0f, 31.75f})));
  value.backward(at::tensor({1.0f, 2.0f, 3.0f}));
  EXPECT_TRUE(at::equal(leaf.grad().to(at::kFloat), at::tensor({1.0f, 2.0f, 3.0f})));
}

}  // namespace
}  // namespace quantry::engine
