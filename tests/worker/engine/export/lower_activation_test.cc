#include "worker/engine/export/lower_activation.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/worker/engine/export/quantized_net.h"
#include "worker/engine/export/to_qdq.h"
#include "worker/engine/ops/fake_quantize.h"

namespace quantry::engine {
namespace {

TEST(LowerActivationTest, EveryConvolutionEndsInAQuantizerAndComputesTheSame) {
  for (const char* quantizer : {"moving_average_abs_max", "lsq_act"}) {
    for (const int bits : {2, 4, 8}) {
      QuantConfig config;
      config.activation_bits = bits;
      config.activation_quantize_type = quantizer;
      const at::Tensor data = (at::manual_seed(9), at::randn({16, 3, 8, 8}));
      const Graph trained = FittedToProfile(BuildSmallNet(11), config, data);
      const auto qdq = ToQdq(trained);
      ASSERT_TRUE(qdq.ok()) << qdq.status();
      for (const Node* node : qdq->nodes()) {
        if (node->op() != "Conv") continue;
        ASSERT_EQ(node->output()->uses().size(), 1u) << node->name();
        EXPECT_EQ(node->output()->uses()[0].node->op(), "QuantizeLinear") << node->name();
      }
      EXPECT_LT(RelativeError(RunGraph(*qdq, data), RunGraph(trained, data)),
                bits == 8 ? 0.01 : 0.05)
          << quantizer << " " << bits;
    }
  }
}

TEST(LowerActivationTest, ClampsThatTheQuantizerMakesNeedlessGo) {
  const at::Tensor data = (at::manual_seed(9), at::randn({16, 3, 8, 8}));
  const Graph eight = FittedToProfile(BuildSmallNet(11), {}, data);
  EXPECT_EQ(Count(*ToQdq(eight), "Relu"), 0);
  // Signed integers need it, and other runtimes fuse it themselves.
  EXPECT_EQ(Count(*ToQdq(eight, {.activation_dtype = "int8"}), "Relu"), 0);
  EXPECT_EQ(Count(*ToQdq(eight, {.profile = "openvino"}), "Relu"), 2);
  QuantConfig symmetric;
  symmetric.activation_dtype = "int8";
  const Graph with_sign = FittedToProfile(BuildSmallNet(11), symmetric, data);
  EXPECT_EQ(Count(*ToQdq(with_sign), "Relu"), 2);
}

// One convolution that reads values far outside of what was calibrated: the file saturates where
// training does.
void ExpectSaturationAsTrained(const QuantConfig& config, int64_t lowest) {
  at::manual_seed(23);
  Graph graph;
  Value* input = graph.AddInput("input", {.dtype = at::kFloat});
  graph.AddOutput(AddConv(graph, "conv", input, 3, 8, 1, /*norm=*/true));
  const at::Tensor data = at::randn({4, 3, 9, 9});
  const Graph trained = FittedToProfile(std::move(graph), config, data);
  const Value* quantized = trained.FindNode("conv")->input(0);
  EXPECT_EQ(EvaluationQParams(*quantized->producer()).qmin, lowest);
  const auto qdq = ToQdq(trained, QdqOptionsOf(config));
  ASSERT_TRUE(qdq.ok()) << qdq.status();
  const Node* bias = qdq->FindNode("conv")->input(2)->producer();
  const at::Tensor half_step = bias == nullptr ? at::zeros({8}) : bias->input(1)->tensor() / 2;
  const at::Tensor far = 4 * data;
  const at::Tensor difference = (RunGraph(*qdq, far) - RunGraph(trained, far)).abs();
  EXPECT_TRUE((difference <= half_step.view({1, -1, 1, 1}) + 1e-4).all().item<bool>())
      << difference.max();
}

TEST(LowerActivationTest, SymmetricOnesSaturateWhereTheyWereTrainedTo) {
  for (const char* profile : {"onnxruntime", "openvino", "tensorrt"}) {
    for (const char* quantizer : {"moving_average_abs_max", "range_abs_max", "lsq_act"}) {
      SCOPED_TRACE(absl::StrCat(profile, " ", quantizer));
      QuantConfig config;
      config.profile = profile;
      config.activation_quantize_type = quantizer;
      ExpectSaturationAsTrained(config, -128);
    }
  }
  QuantConfig wide;
  wide.activation_bits = 16;
  ExpectSaturationAsTrained(wide, -32768);
  QuantConfig narrow;
  narrow.activation_bits = 6;
  ExpectSaturationAsTrained(narrow, -31);
}

// PACT's clamp reaches as far below zero as above.
TEST(LowerActivationTest, PactsRangeStaysSymmetric) {
  for (const char* profile : {"onnxruntime", "openvino"}) {
    SCOPED_TRACE(profile);
    QuantConfig config;
    config.profile = profile;
    config.activation_preprocess_type = "PACT";
    ExpectSaturationAsTrained(config, -127);
  }
}

// conv -> Clip(0, bound) -> quantizer: the Clip goes exactly where the quantizer saturates there.
TEST(LowerActivationTest, OnlyClipsAtOrBeyondTheRangeAreNeedless) {
  for (const float bound : {0.5f, 6.0f, 1e6f}) {
    at::manual_seed(4);
    Graph graph;
    Value* x = graph.AddInput("input", {.dtype = at::kFloat});
    x = AddConv(graph, "first", x, 3, 8, 1, /*norm=*/true);
    const auto constant = [&](float value) {
      return graph.AddInitializer("bound", at::full({}, value), InitializerRole::kConstant);
    };
    x = graph.AddNode("Clip", "clip", {x, constant(0), constant(bound)})->output();
    graph.AddOutput(AddConv(graph, "second", x, 8, 4, 1, /*norm=*/false));
    const at::Tensor data = at::randn({4, 3, 9, 9});
    Graph trained = FittedToProfile(std::move(graph), {}, data);
    trained.FindValue("clip.scale")->tensor().copy_(at::tensor({0.0f, 6.0f}));
    const auto qdq = ToQdq(trained);
    ASSERT_TRUE(qdq.ok()) << qdq.status();
    EXPECT_EQ(Count(*qdq, "Clip"), bound < 6 ? 1 : 0) << bound;
    EXPECT_LT(RelativeError(RunGraph(*qdq, data), RunGraph(trained, data)), 0.01) << bound;
  }
}

}  // namespace
}  // namespace quantry::engine
