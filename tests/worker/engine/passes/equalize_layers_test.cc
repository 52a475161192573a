#include "worker/engine/passes/equalize_layers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/fold_batch_norm.h"
#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {
namespace {

// input [?, 3, 8, 8] -> stem -> `activation` -> depthwise -> Relu -> grouped -> LeakyRelu ->
// MaxPool -> pointwise -> Flatten -> Gemm. Channels of the stem and the depthwise convolution are
// of very different sizes if `uneven`.
Graph BuildChain(uint64_t seed, const std::string& activation, bool uneven) {
  at::manual_seed(seed);
  Graph graph;
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  x = AddConv(graph, "stem", x, 3, 8, 1, /*norm=*/false);
  if (activation == "Clip") {
    const auto bound = [&](const char* name, float value) {
      return graph.AddInitializer(name, at::scalar_tensor(value), InitializerRole::kConstant);
    };
    x = graph.AddNode("Clip", "six", {x, bound("low", 0), bound("high", 6)})->output();
  } else {
    x = graph.AddNode(activation, "act", {x})->output();
  }
  x = AddConv(graph, "depthwise", x, 8, 8, 8, /*norm=*/false);
  x = graph.AddNode("Relu", "relu", {x})->output();
  x = AddConv(graph, "grouped", x, 8, 12, 4, /*norm=*/false);
  x = graph.AddNode("LeakyRelu", "leaky", {x}, {{"alpha", 0.1f}})->output();
  x = graph
          .AddNode("MaxPool", "pool", {x},
                   {{"kernel_shape", std::vector<int64_t>{2, 2}},
                    {"strides", std::vector<int64_t>{2, 2}}})
          ->output();
  x = AddConv(graph, "pointwise", x, 12, 6, 1, /*norm=*/false);
  x = graph.AddNode("Flatten", "flatten", {x}, {{"axis", int64_t{1}}})->output();
  Value* weight =
      graph.AddInitializer("head.weight", at::randn({6 * 16, 5}), InitializerRole::kParameter);
  graph.AddOutput(graph.AddNode("Gemm", "head", {x, weight})->output());
  if (uneven) {
    const at::Tensor factors = at::logspace(-1.5, 1.5, 8);
    for (const char* name : {"stem", "depthwise"}) {
      for (const char* part : {".weight", ".bias"}) {
        const at::Tensor& tensor = graph.FindValue(std::string(name) + part)->tensor();
        std::vector<int64_t> shape(static_cast<size_t>(tensor.dim()), 1);
        shape[0] = 8;
        tensor.mul_((name[0] == 's' ? factors : factors.flip(0)).view(shape));
      }
    }
  }
  return graph;
}

double RelativeDifference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

// Decibel of the output with per-tensor weights of `bits` bits, inputs in 8.
double SqnrOfPtq(Graph graph, int bits, const at::Tensor& x) {
  const at::Tensor reference = RunGraph(graph, x);
  const auto plan = Annotate(graph, {.weight_quantize_type = "abs_max", .weight_bits = bits}, {});
  InsertFakeQuant(graph, *plan);
  RunGraph(graph, x, RunPhase::kCalibrate);
  const at::Tensor noise = RunGraph(graph, x) - reference;
  return 10 * std::log10((reference.square().sum() / noise.square().sum()).item<double>());
}

TEST(EqualizeLayersTest, TheFunctionStaysAndChannelsBecomeEqual) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    Graph graph = BuildChain(seed, "Relu", /*uneven=*/true);
    const at::Tensor x = at::randn({4, 3, 8, 8});
    const at::Tensor before = RunGraph(graph, x);
    const Equalization done = EqualizeLayers(graph);
    EXPECT_EQ(done.pairs, 4);
    EXPECT_EQ(done.clipped, 0);
    EXPECT_GT(done.sweeps, 1);
    EXPECT_LT(done.sweeps, 40);
    ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
    EXPECT_LT(RelativeDifference(RunGraph(graph, x), before), 1e-5);
    const at::Tensor stem = graph.FindValue("stem.weight")->tensor().view({8, -1}).abs().amax(1);
    const at::Tensor next =
        graph.FindValue("depthwise.weight")->tensor().view({8, -1}).abs().amax(1);
    EXPECT_TRUE(at::allclose(stem, next, 1e-3)) << stem << next;
  }
}

TEST(EqualizeLayersTest, PerTensorQuantizationGainsWhereChannelsWereUneven) {
  for (const uint64_t seed : {4u, 5u, 6u}) {
    Graph graph = BuildChain(seed, "Relu", /*uneven=*/true);
    const at::Tensor x = at::randn({16, 3, 8, 8});
    const double before = SqnrOfPtq(graph.Clone(), 8, x);
    EqualizeLayers(graph);
    EXPECT_GT(SqnrOfPtq(graph.Clone(), 8, x), before + 6) << "seed " << seed;
  }
}

TEST(EqualizeLayersTest, ClipIsNotHomogeneousAndOnlyCounted) {
  Graph graph = BuildChain(7, "Clip", /*uneven=*/true);
  const at::Tensor weight = graph.FindValue("stem.weight")->tensor().clone();
  const at::Tensor x = at::randn({4, 3, 8, 8});
  const at::Tensor before = RunGraph(graph, x);
  const Equalization done = EqualizeLayers(graph);
  EXPECT_EQ(done.pairs, 3);
  EXPECT_EQ(done.clipped, 1);
  EXPECT_TRUE(at::equal(graph.FindValue("stem.weight")->tensor(), weight));
  EXPECT_LT(RelativeDifference(RunGraph(graph, x), before), 1e-5);
}

TEST(EqualizeLayersTest, OtherFunctionsEndAPair) {
  for (const char* activation : {"Sigmoid", "HardSwish", "Tanh", "Softplus", "Elu"}) {
    Graph graph = BuildChain(8, activation, /*uneven=*/true);
    const at::Tensor weight = graph.FindValue("stem.weight")->tensor().clone();
    EXPECT_EQ(EqualizeLayers(graph).pairs, 3) << activation;
    EXPECT_TRUE(at::equal(graph.FindValue("stem.weight")->tensor(), weight)) << activation;
  }
}

// What several layers read, and what the graph gives out, can't be scaled.
TEST(EqualizeLayersTest, BranchesAndOutputsAreLeftAlone) {
  Graph graph = BuildSmallNet(9);
  FoldBatchNorm(graph);
  EXPECT_EQ(EqualizeLayers(graph).pairs, 0);
  Graph chain = BuildChain(10, "Relu", /*uneven=*/false);
  chain.AddOutput(chain.FindNode("relu")->output());
  EXPECT_EQ(EqualizeLayers(chain).pairs, 3);
}

TEST(EqualizeLayersTest, SharedWeightsAreLeftAlone) {
  at::manual_seed(11);
  Graph graph;
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  Value* weight = graph.AddInitializer("w", at::randn({4, 4, 1, 1}), InitializerRole::kParameter);
  x = graph.AddNode("Conv", "first", {x, weight})->output();
  x = graph.AddNode("Relu", "relu", {x})->output();
  graph.AddOutput(graph.AddNode("Conv", "second", {x, weight})->output());
  EXPECT_EQ(EqualizeLayers(graph).pairs, 0);
}

// A channel without weights would send its bias to infinity.
TEST(EqualizeLayersTest, DeadChannelsStayAsTheyAre) {
  Graph graph = BuildChain(12, "Relu", /*uneven=*/false);
  graph.FindValue("stem.weight")->tensor()[0].fill_(0);
  graph.FindValue("depthwise.weight")->tensor()[1].fill_(1e-9);
  const float bias0 = graph.FindValue("stem.bias")->tensor()[0].item<float>();
  const float bias1 = graph.FindValue("stem.bias")->tensor()[1].item<float>();
  const at::Tensor x = at::randn({4, 3, 8, 8});
  const at::Tensor before = RunGraph(graph, x);
  EqualizeLayers(graph);
  EXPECT_EQ(graph.FindValue("stem.bias")->tensor()[0].item<float>(), bias0);
  EXPECT_EQ(graph.FindValue("stem.bias")->tensor()[1].item<float>(), bias1);
  EXPECT_LT(RelativeDifference(RunGraph(graph, x), before), 1e-5);
}

TEST(EqualizeLayersTest, BatchNormIsFoldedFirst) {
  at::manual_seed(13);
  Graph graph;
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  x = AddConv(graph, "a", x, 3, 8, 1, /*norm=*/true);
  x = graph.AddNode("Relu", "relu", {x})->output();
  graph.AddOutput(AddConv(graph, "b", x, 8, 4, 1, /*norm=*/true));
  EXPECT_EQ(EqualizeLayers(graph).pairs, 0);
  const at::Tensor input = at::randn({2, 3, 8, 8});
  const at::Tensor before = RunGraph(graph, input);
  FoldBatchNorm(graph);
  EXPECT_EQ(EqualizeLayers(graph).pairs, 1);
  EXPECT_LT(RelativeDifference(RunGraph(graph, input), before), 1e-5);
}

}  // namespace
}  // namespace quantry::engine
