#include "worker/engine/passes/planned_layers.h"

#include <gtest/gtest.h>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {
namespace {

// Widths of the FakeQuantize nodes that feed `layer`: input, weight.
LayerBits BitsOf(const Graph& graph, const std::string& layer) {
  const Node* node = graph.FindNode(layer);
  return {.weight = SpecOf(*node->input(1)->producer()).bits,
          .activation = SpecOf(*node->input(0)->producer()).bits};
}

TEST(PlannedLayersTest, ALayerIsANodeWithItsTensors) {
  const Graph graph = BuildSmallNet(1);
  const auto plan = Annotate(graph, {.weight_bits = 5, .activation_bits = 6}, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  const std::vector<PlannedLayer> layers = LayersOf(*plan);
  ASSERT_EQ(layers.size(), 4u);
  EXPECT_EQ(layers[0].name, "stem");
  EXPECT_EQ(layers[0].op_type, "Conv");
  EXPECT_EQ(layers[0].weights, 8 * 3 * 3 * 3);
  for (const PlannedLayer& layer : layers) {
    EXPECT_EQ(layer.tensors.size(), 2u) << layer.name;
    EXPECT_EQ(layer.weight_bits, 5);
    EXPECT_EQ(layer.activation_bits, 6);
  }
}

// "depthwise" and "skip" read the same activation.
TEST(PlannedLayersTest, ASharedActivationIsQuantizedOncePerWidth) {
  Graph graph = BuildSmallNet(2);
  const auto plan = Annotate(graph, {}, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  const size_t tensors = plan->tensors.size();
  const QuantPlan same = WithBits(*plan, {{"skip", {4, 8}}, {"depthwise", {3, 8}}});
  EXPECT_EQ(same.tensors.size(), tensors);
  const QuantPlan apart = WithBits(*plan, {{"skip", {4, 6}}, {"depthwise", {3, 8}}});
  EXPECT_EQ(apart.tensors.size(), tensors + 1);
  InsertFakeQuant(graph, apart);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  EXPECT_EQ(BitsOf(graph, "skip"), (LayerBits{4, 6}));
  EXPECT_EQ(BitsOf(graph, "depthwise"), (LayerBits{3, 8}));
  EXPECT_EQ(BitsOf(graph, "stem"), (LayerBits{8, 8}));
  EXPECT_NE(graph.FindNode("skip")->input(0), graph.FindNode("depthwise")->input(0));
}

// The name of one layer is a part of the other's.
TEST(PlannedLayersTest, NamesAreExact) {
  at::manual_seed(3);
  Graph graph;
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  x = AddConv(graph, "block.1", x, 3, 4, 1, /*norm=*/false);
  x = AddConv(graph, "block.10", x, 4, 4, 1, /*norm=*/false);
  graph.AddOutput(x);
  const auto plan = Annotate(graph, {}, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  InsertFakeQuant(graph, WithBits(*plan, {{"block.1", {2, 3}}}));
  EXPECT_EQ(BitsOf(graph, "block.1"), (LayerBits{2, 3}));
  EXPECT_EQ(BitsOf(graph, "block.10"), (LayerBits{8, 8}));
}

TEST(PlannedLayersTest, LayersThatShareAWeightAreOne) {
  at::manual_seed(4);
  Graph graph;
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  Value* weight = graph.AddInitializer("w", at::randn({4, 4, 1, 1}), InitializerRole::kParameter);
  x = graph.AddNode("Conv", "first", {x, weight})->output();
  x = graph.AddNode("Relu", "relu", {x})->output();
  x = graph.AddNode("Conv", "second", {x, weight})->output();
  graph.AddOutput(x);
  const auto plan = Annotate(graph, {}, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  const std::vector<PlannedLayer> layers = LayersOf(*plan);
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_EQ(layers[0].nodes.size(), 2u);
  EXPECT_EQ(layers[0].weights, 16);
  InsertFakeQuant(graph, WithBits(*plan, {{"first", {4, 5}}}));
  EXPECT_EQ(BitsOf(graph, "second"), (LayerBits{4, 5}));
}

}  // namespace
}  // namespace quantry::engine
