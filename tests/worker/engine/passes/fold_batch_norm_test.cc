#include "worker/engine/passes/fold_batch_norm.h"

#include <gtest/gtest.h>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/graph/verify.h"

namespace quantry::engine {
namespace {

TEST(FoldBatchNormTest, FloatGraphComputesTheSame) {
  Graph graph = BuildSmallNet(3);
  const at::Tensor x = at::randn({4, 3, 8, 8});
  const at::Tensor before = RunGraph(graph, x);
  EXPECT_EQ(FoldBatchNorm(graph), 2);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  EXPECT_EQ(graph.FindValue("stem.gamma"), nullptr);
  EXPECT_EQ(graph.FindValue("stem.bias")->role(), InitializerRole::kParameter);
  EXPECT_TRUE(at::allclose(RunGraph(graph, x), before, 1e-4, 1e-5));
  EXPECT_EQ(FoldBatchNorm(graph), 0);
}

TEST(FoldBatchNormTest, ConvolutionWithBiasAndOutputName) {
  at::manual_seed(4);
  Graph graph;
  Value* input = graph.AddInput("input", {.dtype = at::kFloat});
  const auto add = [&](const char* name, const at::Tensor& tensor) {
    return graph.AddInitializer(name, tensor, InitializerRole::kParameter);
  };
  Value* conv = graph
                    .AddNode("Conv", "conv",
                             {input, add("w", at::randn({4, 3, 1, 1})), add("b", at::randn({4}))})
                    ->output();
  graph.AddOutput(graph
                      .AddNode("BatchNormalization", "norm",
                               {conv, add("g", at::randn({4})), add("beta", at::randn({4})),
                                add("mean", at::randn({4})), add("var", at::rand({4}))},
                               {}, {"result"})
                      ->output());
  const at::Tensor x = at::randn({2, 3, 5, 5});
  const at::Tensor before = RunGraph(graph, x);
  EXPECT_EQ(FoldBatchNorm(graph), 1);
  EXPECT_EQ(graph.outputs().at(0)->name(), "result");
  EXPECT_TRUE(at::allclose(RunGraph(graph, x), before, 1e-4, 1e-4));
}

TEST(FoldBatchNormTest, OutputThatOthersReadIsLeftAlone) {
  at::manual_seed(5);
  Graph graph = BuildSmallNet(5);
  Value* raw = graph.FindNode("stem")->output();
  graph.AddOutput(raw);
  EXPECT_EQ(FoldBatchNorm(graph), 1);
  EXPECT_NE(graph.FindNode("stem.norm"), nullptr);
}

}  // namespace
}  // namespace quantry::engine
