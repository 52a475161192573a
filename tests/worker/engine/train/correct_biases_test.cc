#include "worker/engine/train/correct_biases.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/passes/small_net.h"
#include "tests/worker/engine/train/glyph_images.h"
#include "worker/engine/passes/fold_batch_norm.h"

namespace quantry::engine {
namespace {

at::Tensor ChannelMeans(const at::Tensor& y) { return y.mean({0, 2, 3}); }

// One convolution: afterwards the mean of its output is that of the float one, up to what 8 bits do
// to the input.
TEST(CorrectBiasesTest, TheMeanOutputIsThatOfTheFloatLayer) {
  for (const bool with_bias : {true, false}) {
    at::manual_seed(21);
    Graph graph;
    Value* x = graph.AddInput("input", {.dtype = at::kFloat});
    x = AddConv(graph, "conv", x, 3, 6, 1, /*norm=*/false);
    if (!with_bias) graph.SetInput(graph.FindNode("conv"), 2, nullptr);
    graph.AddOutput(x);
    const at::Tensor images = AllGlyphImages();
    const at::Tensor wanted = ChannelMeans(RunGraph(graph, images));
    QuantizeOnGlyphs(graph, {.weight_bits = 3});
    const at::Tensor before = ChannelMeans(RunGraph(graph, images));
    const auto corrected = CorrectBiases(graph, *MakeGlyphLoader(), 3);
    ASSERT_TRUE(corrected.ok()) << corrected.status();
    EXPECT_EQ(*corrected, 1);
    const at::Tensor after = ChannelMeans(RunGraph(graph, images));
    const double error_before = (before - wanted).abs().max().item<double>();
    const double error_after = (after - wanted).abs().max().item<double>();
    EXPECT_GT(error_before, 0.02);
    EXPECT_LT(error_after, 0.1 * error_before);
    EXPECT_EQ(graph.FindNode("conv")->input(2)->role(), InitializerRole::kParameter);
  }
}

// A Gemm on inputs whose mean is not zero: by hand, b - (W~ - W) E[x].
TEST(CorrectBiasesTest, AgreesWithTheFormula) {
  at::manual_seed(22);
  Graph graph;
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  x = graph.AddNode("GlobalAveragePool", "pool", {x})->output();
  x = graph.AddNode("Flatten", "flatten", {x}, {{"axis", int64_t{1}}})->output();
  Value* weight = graph.AddInitializer("w", at::randn({3, 4}), InitializerRole::kParameter);
  Value* bias = graph.AddInitializer("b", at::randn({4}), InitializerRole::kParameter);
  graph.AddOutput(
      graph.AddNode("Gemm", "gemm", {x, weight, bias}, {{"alpha", 0.5f}, {"beta", 2.0f}})
          ->output());
  const at::Tensor w = weight->tensor().clone();
  const at::Tensor b = bias->tensor().clone();
  QuantizeOnGlyphs(graph, {.weight_bits = 2});
  ASSERT_TRUE(CorrectBiases(graph, *MakeGlyphLoader(), 3).ok());
  const at::Tensor s = w.abs().amax(0, /*keepdim=*/true);  // 2 bits: integers -1, 0, 1
  const at::Tensor rounded = (w / s).round() * s;
  const at::Tensor mean = AllGlyphImages().mean({0, 2, 3});
  const at::Tensor expected = b - 0.5 * mean.matmul(rounded - w) / 2.0;
  EXPECT_TRUE(at::allclose(graph.FindNode("gemm")->input(2)->tensor(), expected, 1e-4, 1e-5));
}

TEST(CorrectBiasesTest, WholeNetworksLoseLess) {
  Graph graph = BuildSmallNet(23);
  FoldBatchNorm(graph);
  const at::Tensor images = AllGlyphImages();
  const at::Tensor wanted = RunGraph(graph, images).mean(0);
  QuantizeOnGlyphs(graph, {.weight_bits = 3});
  const double before = (RunGraph(graph, images).mean(0) - wanted).norm().item<double>();
  const auto state = graph.FindValue("input.scale")->tensor().clone();
  const auto corrected = CorrectBiases(graph, *MakeGlyphLoader(), 3);
  ASSERT_TRUE(corrected.ok()) << corrected.status();
  EXPECT_EQ(*corrected, 4);
  EXPECT_LT((RunGraph(graph, images).mean(0) - wanted).norm().item<double>(), before);
  EXPECT_TRUE(at::equal(graph.FindValue("input.scale")->tensor(), state)) << "observers looked";
}

TEST(CorrectBiasesTest, ASharedBiasIsSplit) {
  at::manual_seed(24);
  Graph graph;
  Value* x = graph.AddInput("input", {.dtype = at::kFloat});
  Value* bias = graph.AddInitializer("b", at::randn({3}), InitializerRole::kParameter);
  for (const char* name : {"first", "second"}) {
    Value* weight = graph.AddInitializer(std::string(name) + ".weight", at::randn({3, 3, 1, 1}),
                                         InitializerRole::kParameter);
    x = graph.AddNode("Conv", name, {x, weight, bias})->output();
  }
  graph.AddOutput(x);
  QuantizeOnGlyphs(graph, {.weight_bits = 3});
  ASSERT_TRUE(CorrectBiases(graph, *MakeGlyphLoader(), 3).ok());
  EXPECT_NE(graph.FindNode("first")->input(2), graph.FindNode("second")->input(2));
}

TEST(CorrectBiasesTest, AnObserversErrorEndsIt) {
  Graph graph = BuildSmallNet(25);
  QuantizeOnGlyphs(graph, {.weight_bits = 8});
  const auto stop = [](int64_t, int64_t) { return absl::CancelledError("stop"); };
  EXPECT_EQ(CorrectBiases(graph, *MakeGlyphLoader(), 3, stop).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace quantry::engine
