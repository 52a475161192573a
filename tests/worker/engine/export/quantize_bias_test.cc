#include "worker/engine/export/quantize_bias.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "worker/engine/graph/graph.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

constexpr float kInputStep = 0.1f;
constexpr float kOutputStep = 0.05f;

struct Layer {
  Graph graph;
  Node* convolution = nullptr;
};

// A quantizer of 8 bits that has seen what makes its step `step`.
Value* Quantized(Graph& graph, Value* x, const std::string& name, float step) {
  Value* scale =
      graph.AddInitializer(name + ".scale", at::full({}, 127 * step), InitializerRole::kBuffer);
  Value* initialized =
      graph.AddInitializer(name + ".initialized", at::ones({}), InitializerRole::kBuffer);
  return graph
      .AddNode(std::string(kFakeQuantizeOp), name,
               {x, scale, nullptr, nullptr, nullptr, initialized}, ToAttributes(FakeQuantizeSpec()))
      ->output();
}

// FakeQuantize -> Conv (1x1, one input channel, int8 weight) -> Relu -> FakeQuantize.
Layer MakeLayer(const at::Tensor& integers, const at::Tensor& steps, const at::Tensor& bias) {
  Layer layer;
  Graph& graph = layer.graph;
  const auto constant = [&](const std::string& name, const at::Tensor& tensor) {
    return graph.AddInitializer(name, tensor, InitializerRole::kConstant);
  };
  Value* x = Quantized(graph, graph.AddInput("x", {}), "x.q", kInputStep);
  Node* weight =
      graph.AddNode("DequantizeLinear", "w.dq", {constant("w.q", integers), constant("w.s", steps)},
                    {{"axis", int64_t{0}}});
  layer.convolution = graph.AddNode("Conv", "conv", {x, weight->output(), constant("b", bias)}, {});
  Node* relu = graph.AddNode("Relu", "relu", {layer.convolution->output()}, {});
  graph.AddOutput(Quantized(graph, relu->output(), "y.q", kOutputStep));
  return layer;
}

at::Tensor Dequantized(const Node* dequantize) {
  const at::Tensor integers = dequantize->input(0)->tensor().to(at::kDouble);
  const at::Tensor steps = dequantize->input(1)->tensor().to(at::kDouble);
  return integers * (integers.dim() > 1 ? steps.view({-1, 1, 1, 1}) : steps);
}

TEST(QuantizeBiasTest, ChannelWithAHugeWeightStepKeepsItsBias) {
  const at::Tensor integers = at::tensor({3, 64}, at::kChar).view({2, 1, 1, 1});
  const at::Tensor bias = at::tensor({1.2345f, 1.2345f});
  Layer layer = MakeLayer(integers, at::tensor({20.0f, 0.01f}), bias);
  ASSERT_TRUE(QuantizeBiases(layer.graph).ok());

  const Node* quantized = layer.convolution->input(2)->producer();
  const at::Tensor error = (Dequantized(quantized) - bias).abs();
  // Half a step of the output; without the care it is half of 0.1 * 20.
  EXPECT_LE(error[0].item<double>(), 0.5 * kOutputStep * 1.001);
  EXPECT_LE(error[1].item<double>(), 0.5 * kInputStep * 0.01);
  // One unit of the input still drives the output through its range of 127 steps.
  const at::Tensor weights = Dequantized(layer.convolution->input(1)->producer()).flatten();
  EXPECT_GE(weights[0].item<double>() * kInputStep, 0.9 * 127 * kOutputStep);
  EXPECT_NEAR(weights[1].item<double>(), 0.64, 1e-6) << "this channel has nothing to mend";
}

TEST(QuantizeBiasTest, WeightsThatFitAreTheSameInFinerSteps) {
  const at::Tensor integers = at::tensor({3}, at::kChar).view({1, 1, 1, 1});
  Layer layer = MakeLayer(integers, at::tensor({1.2f}), at::tensor({0.0f}));
  ASSERT_TRUE(QuantizeBiases(layer.graph).ok());
  // 0.1 * 1.2 is more than the output's step: a third of it is not.
  const Node* weight = layer.convolution->input(1)->producer();
  EXPECT_EQ(weight->input(0)->tensor().item<int>(), 9);
  EXPECT_NEAR(Dequantized(weight).item<double>(), 3.6, 1e-6);
}

TEST(QuantizeBiasTest, NamesAQuantizerThatSawNothing) {
  Layer layer = MakeLayer(at::ones({1, 1, 1, 1}, at::kChar), at::ones({1}), at::ones({1}));
  const Node* input = layer.convolution->input(0)->producer();
  input->input(kFakeQuantizeInitialized)->tensor().zero_();
  const absl::Status status = QuantizeBiases(layer.graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), testing::HasSubstr("'x'"));
}

}  // namespace
}  // namespace quantry::engine
