#include "worker/engine/export/to_qdq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/export/quantized_net.h"
#include "worker/engine/export/write_onnx.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

struct Case {
  int bits;
  const char* weight_quantizer;
  const char* activation_quantizer;
  bool pact;
};

class ToQdqTest : public ::testing::TestWithParam<Case> {
 protected:
  static QuantConfig Config() {
    QuantConfig config;
    config.weight_bits = config.activation_bits = GetParam().bits;
    config.weight_quantize_type = GetParam().weight_quantizer;
    config.activation_quantize_type = GetParam().activation_quantizer;
    if (GetParam().pact) config.activation_preprocess_type = config.weight_preprocess_type = "PACT";
    return config;
  }
};

TEST_P(ToQdqTest, ComputesWhatWasTrainedAlsoAfterWritingAndReading) {
  const at::Tensor data = (at::manual_seed(7), at::randn({32, 3, 8, 8}));
  Graph trained = Quantized(BuildSmallNet(11), Config(), data);
  // As training would leave it: alpha below what was observed.
  for (Value* alpha : PactAlphas(trained)) alpha->tensor().mul_(0.7);
  const at::Tensor expected = RunGraph(trained, data);
  const auto qdq = ToQdq(trained);
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  for (const Node* node : qdq->nodes()) {
    EXPECT_NE(node->op(), "quantry.FakeQuantize");
    EXPECT_NE(node->op(), "BatchNormalization");
    EXPECT_NE(node->op(), "Dropout");
  }
  EXPECT_EQ(qdq->outputs().at(0)->name(), "logits");
  const at::Tensor actual = RunGraph(*qdq, data);
  // A value that lies next to the middle of two integers may go either way: the fewer bits, the
  // farther.
  EXPECT_LT(RelativeError(actual, expected), GetParam().bits == 8 ? 0.01 : 0.05);

  const auto bytes = WriteOnnx(*qdq);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto read = ImportOnnx(*bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(at::allclose(RunGraph(*read, data), actual, 1e-5, 1e-6));
}

TEST_P(ToQdqTest, WeightsAreSmallIntegersAndBiasesInt32) {
  const at::Tensor data = (at::manual_seed(8), at::randn({8, 3, 8, 8}));
  const auto qdq = ToQdq(Quantized(BuildSmallNet(12), Config(), data));
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  int layers = 0;
  for (const Node* node : qdq->nodes()) {
    if (node->op() != "Conv" && node->op() != "Gemm") continue;
    ++layers;
    const Node* weight = node->input(1)->producer();
    ASSERT_NE(weight, nullptr);
    const at::Tensor& integers = weight->input(0)->tensor();
    ASSERT_EQ(integers.scalar_type(), at::kChar);
    // The trained integers, times 2^(8-bits).
    const int spread = 1 << (8 - GetParam().bits);
    EXPECT_TRUE((integers.remainder(spread) == 0).all().item<bool>());
    EXPECT_LE(integers.to(at::kInt).abs().max().item<int>(), QuantMax(GetParam().bits) * spread);
    EXPECT_TRUE((weight->input(1)->tensor() > 0).all().item<bool>());
    const Node* bias = node->input(2)->producer();
    ASSERT_NE(bias, nullptr);
    EXPECT_EQ(bias->input(0)->tensor().scalar_type(), at::kInt);
    const at::Tensor step =
        weight->input(1)->tensor() * node->input(0)->producer()->input(1)->tensor();
    EXPECT_TRUE(at::equal(bias->input(1)->tensor(), step));
  }
  EXPECT_EQ(layers, 4);
}

INSTANTIATE_TEST_SUITE_P(
    All, ToQdqTest,
    ::testing::Values(Case{8, "channel_wise_abs_max", "moving_average_abs_max", false},
                      Case{8, "abs_max", "abs_max", false},
                      Case{8, "moving_average_abs_max", "moving_average_abs_max", true},
                      Case{8, "range_abs_max", "range_abs_max", true},
                      Case{6, "channel_wise_lsq_weight", "lsq_act", false},
                      Case{4, "channel_wise_abs_max", "moving_average_abs_max", false},
                      Case{4, "channel_wise_abs_max", "abs_max", true},
                      Case{3, "abs_max", "moving_average_abs_max", true}));

// One layer: the only differences are float rounding and the rounded bias.
TEST(ToQdqExactTest, OneLayerDiffersByTheBiasStepAtMost) {
  const std::pair<const char*, const char*> quantizers[] = {
      {"channel_wise_abs_max", "moving_average_abs_max"},
      {"channel_wise_lsq_weight", "lsq_act"},
      {"channel_wise_lsq_weight", "lsq_plus_act"},
      {"dorefa_weight", "abs_max"}};
  for (const auto& [weight, activation] : quantizers) {
    for (const int bits : {2, 4, 8}) {
      at::manual_seed(21);
      Graph graph;
      Value* input = graph.AddInput("input", {.dtype = at::kFloat});
      graph.AddOutput(AddConv(graph, "conv", input, 3, 16, 1, /*norm=*/true));
      QuantConfig config;
      config.weight_bits = config.activation_bits = bits;
      config.weight_quantize_type = weight;
      config.activation_quantize_type = activation;
      const at::Tensor data = at::randn({4, 3, 9, 9});
      const Graph trained = Quantized(std::move(graph), config, data);
      const auto qdq = ToQdq(trained);
      ASSERT_TRUE(qdq.ok()) << qdq.status();
      const Node* conv = qdq->FindNode("conv");
      const at::Tensor half_step = conv->input(2)->producer()->input(1)->tensor() / 2;
      const at::Tensor difference = (RunGraph(*qdq, data) - RunGraph(trained, data)).abs();
      EXPECT_TRUE((difference <= half_step.view({1, -1, 1, 1}) + 1e-4).all().item<bool>())
          << weight << " " << activation << " " << bits;
      // Channel 0 has gamma = 0: nothing but its beta, and precisely that. DoReFa has no 0.
      if (std::string(weight) != "dorefa_weight") {
        EXPECT_LT(difference.select(1, 0).max().item<float>(), 1e-5) << weight << " " << bits;
      }
    }
  }
}

// What a learned step starts with at 8 bits is several times coarser than max|x| / 127, for weights
// and activations alike, and so is the step of the bias, which is their product. Rounding biases
// anew within half a step moves the outputs as far as the export does: that is all there is to it.
TEST(ToQdqExactTest, LearnedStepsDifferByWhatRoundingTheBiasesDoes) {
  QuantConfig config;
  config.weight_quantize_type = "channel_wise_lsq_weight";
  config.activation_quantize_type = "lsq_act";
  const at::Tensor data = (at::manual_seed(7), at::randn({32, 3, 8, 8}));
  double exported = 0, moved = 0;
  for (const uint64_t seed : {11, 12, 13, 14}) {
    const Graph trained = Quantized(BuildSmallNet(seed), config, data);
    const Graph qdq = std::move(ToQdq(trained).value());
    Graph other = qdq.Clone();
    for (Node* node : other.nodes()) {
      if (node->op() != "Conv" && node->op() != "Gemm") continue;
      const Node* bias = node->input(2)->producer();
      const at::Tensor step = bias->input(1)->tensor();
      const at::Tensor value =
          (bias->input(0)->tensor().to(at::kFloat) + at::rand(step.sizes()) - 0.5) * step;
      other.SetInput(node, 2, other.AddInitializer("moved", value, InitializerRole::kConstant));
    }
    const at::Tensor result = RunGraph(qdq, data);
    exported += RelativeError(result, RunGraph(trained, data));
    moved += RelativeError(RunGraph(other, data), result);
  }
  EXPECT_LT(exported, 3 * moved);
  EXPECT_LT(exported / 4, 0.03);
}

TEST(ToQdqExactTest, BiasFarAboveTheWeightsStillFits) {
  at::manual_seed(22);
  Graph graph;
  Value* input = graph.AddInput("input", {.dtype = at::kFloat});
  graph.AddOutput(AddConv(graph, "conv", input, 3, 4, 1, /*norm=*/true));
  graph.FindValue("conv.gamma")->tensor().fill_(1e-9);
  graph.FindValue("conv.beta")->tensor().fill_(100);
  const at::Tensor data = at::randn({2, 3, 9, 9});
  const auto qdq = ToQdq(Quantized(std::move(graph), {}, data));
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  EXPECT_LT((RunGraph(*qdq, data) - 100).abs().max().item<float>(), 1e-3);
}

TEST(ToQdqExactTest, UncalibratedAndNotFiniteAreRefused) {
  Graph graph = BuildSmallNet(1);
  InsertFakeQuant(graph, Annotate(graph, {}, {}).value());
  const auto early = ToQdq(graph);
  EXPECT_EQ(early.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(early.status().message()), HasSubstr("calibrate"));
  RunGraph(graph, at::randn({1, 3, 8, 8}), RunPhase::kCalibrate);
  graph.FindValue("input.scale")->tensor().fill_(std::numeric_limits<float>::infinity());
  EXPECT_THAT(std::string(ToQdq(graph).status().message()), HasSubstr("'input' is not finite"));
}

TEST(ToQdqExactTest, PactWithAlphaBelowZeroExportsNothingButZeros) {
  for (const int bits : {4, 8}) {
    QuantConfig config;
    config.weight_preprocess_type = config.activation_preprocess_type = "PACT";
    config.weight_bits = config.activation_bits = bits;
    const at::Tensor data = at::randn({4, 3, 8, 8});
    Graph trained = Quantized(BuildSmallNet(16), config, data);
    for (Value* alpha : PactAlphas(trained)) alpha->tensor().fill_(-0.5);
    const auto qdq = ToQdq(trained);
    ASSERT_TRUE(qdq.ok()) << qdq.status();
    const auto executor = Executor::Create(*qdq).value();
    const auto check = [](const Node& node, absl::Span<const at::Tensor>,
                          absl::Span<const at::Tensor> outputs) {
      const bool bias = node.op() == "DequantizeLinear" && node.input(0)->is_initializer() &&
                        node.input(0)->tensor().scalar_type() == at::kInt;
      if (node.op() == "DequantizeLinear" && !bias) {
        EXPECT_EQ(outputs[0].abs().max().item<float>(), 0.0f) << node.name();
      }
      return absl::OkStatus();
    };
    ASSERT_TRUE(executor->Run({data}, {.phase = RunPhase::kEvaluate}, check).ok());
    EXPECT_TRUE(at::allclose(RunGraph(*qdq, data), RunGraph(trained, data), 1e-4, 1e-5));
  }
}

TEST(ToQdqExactTest, LayersLeftInFloatStayFloatAndAreFolded) {
  QuantConfig config;
  config.not_quant_pattern = {"depthwise", "head"};
  const at::Tensor data = at::randn({4, 3, 8, 8});
  const Graph trained = Quantized(BuildSmallNet(13), config, data);
  const auto qdq = ToQdq(trained);
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  EXPECT_EQ(qdq->FindNode("depthwise")->input(1)->tensor().scalar_type(), at::kFloat);
  EXPECT_EQ(qdq->FindNode("depthwise.norm"), nullptr);
  EXPECT_LT(RelativeError(RunGraph(*qdq, data), RunGraph(trained, data)), 0.01);
}

}  // namespace
}  // namespace quantry::engine
