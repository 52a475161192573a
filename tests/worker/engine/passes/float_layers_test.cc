#include "worker/engine/passes/float_layers.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {
namespace {

std::vector<FloatLayer> FloatLayersOf(Graph graph, const QuantConfig& config) {
  InsertFakeQuant(graph, Annotate(graph, config, {}).value());
  return FloatLayers(graph).value();
}

TEST(FloatLayersTest, AreThoseThatQuantConfigLeavesOut) {
  EXPECT_TRUE(FloatLayersOf(BuildSmallNet(1), {}).empty());
  QuantConfig config;
  config.not_quant_pattern = {"depthwise", "head"};
  const std::vector<FloatLayer> layers = FloatLayersOf(BuildSmallNet(1), config);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].name, "depthwise");
  EXPECT_EQ(layers[0].op, "Conv");
  EXPECT_EQ(layers[0].weights, 8 * 9);
  EXPECT_EQ(layers[1].name, "head");
}

// No profile has integer kernels that train as these do.
TEST(FloatLayersTest, RecurrentOnesAlwaysAre) {
  Graph graph;
  const auto weight = [&](const char* name, at::IntArrayRef sizes) {
    return graph.AddInitializer(name, at::randn(sizes), InitializerRole::kParameter);
  };
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  x = graph
          .AddNode("LSTM", "rnn", {x, weight("w", {1, 16, 3}), weight("r", {1, 16, 4})},
                   {{"hidden_size", int64_t{4}}})
          ->output();
  graph.AddOutput(graph.AddNode("Conv", "conv", {x, weight("c", {2, 5, 1, 1})})->output());
  const std::vector<FloatLayer> layers = FloatLayersOf(std::move(graph), {});
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_EQ(layers[0].name, "rnn");
  EXPECT_EQ(layers[0].op, "LSTM");
  EXPECT_EQ(layers[0].weights, 16 * 3 + 16 * 4);
}

}  // namespace
}  // namespace quantry::engine
