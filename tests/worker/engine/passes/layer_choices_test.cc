#include "worker/engine/passes/layer_choices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "common/quant_config.h"
#include "tests/worker/engine/passes/all_kinds_net.h"
#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/passes/layer_kinds.h"

namespace quantry::engine {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

// Layer -> "W8A8".
std::map<std::string, std::string> Bits(const Graph& graph, const QuantConfig& config) {
  std::map<std::string, std::string> bits;
  const std::vector<LayerChoice> choices = ChooseLayers(graph, config).value();
  for (const LayerChoice& choice : choices) {
    bits[choice.layer.node->name()] =
        "W" + std::to_string(choice.weight_bits) + "A" + std::to_string(choice.activation_bits);
  }
  return bits;
}

std::string Refusal(const Graph& graph, const QuantConfig& config) {
  const auto choices = ChooseLayers(graph, config);
  EXPECT_EQ(choices.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(choices.status().message());
}

TEST(PatternTest, IsFoundAnywhereOrBoundToTheEnds) {
  EXPECT_TRUE(MatchesPattern("conv1", "block.conv10"));
  EXPECT_FALSE(MatchesPattern("conv1$", "block.conv10"));
  EXPECT_TRUE(MatchesPattern("conv10$", "block.conv10"));
  EXPECT_FALSE(MatchesPattern("^conv", "block.conv10"));
  EXPECT_TRUE(MatchesPattern("^block", "block.conv10"));
  EXPECT_TRUE(MatchesPattern("^block.conv10$", "block.conv10"));
  EXPECT_FALSE(MatchesPattern("^block.conv1$", "block.conv10"));
}

TEST(ChooseLayersTest, TheFirstOverrideThatMatchesDecides) {
  const Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.overrides = {{.pattern = "depthwise.weight", .weight_bits = 5},
                      {.pattern = "depth", .skip = true},
                      {.pattern = "^head$", .activation_bits = 6}};
  // The second decides for nothing, since the first has taken its only layer.
  EXPECT_THAT(Refusal(graph, config), AllOf(HasSubstr("overrides[1].pattern is \"depth\""),
                                            HasSubstr("an earlier entry decides")));
  config.overrides.erase(config.overrides.begin() + 1);
  EXPECT_THAT(Bits(graph, config),
              UnorderedElementsAre(Pair("stem", "W8A8"), Pair("skip", "W8A8"),
                                   Pair("depthwise", "W5A8"), Pair("head", "W8A6")));
}

TEST(ChooseLayersTest, SkippedLayersStayInFloat) {
  const Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.overrides = {{.pattern = "stem", .skip = true}};
  EXPECT_FALSE(Bits(graph, config).contains("stem"));
  config.overrides = {{.pattern = ".weight", .skip = true}};
  EXPECT_THAT(Refusal(graph, config), HasSubstr("nothing would be quantized"));
}

TEST(ChooseLayersTest, AnOverrideForNoLayerIsRefused) {
  const Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.overrides = {{.pattern = "head", .weight_bits = 4}, {.pattern = "tail", .skip = true}};
  EXPECT_THAT(Refusal(graph, config),
              AllOf(HasSubstr("quant_config.overrides[1].pattern is \"tail\""),
                    HasSubstr("layers: stem, ")));
  // What not_quant_pattern has taken out is no layer any more.
  config.overrides = {{.pattern = "head", .weight_bits = 4}};
  config.not_quant_pattern = {"head"};
  EXPECT_THAT(Refusal(graph, config), HasSubstr("\"head\""));
}

TEST(ChooseLayersTest, FirstAndLastLayersByWhatComesBeforeAndAfter) {
  const Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.weight_bits = config.activation_bits = 4;
  config.first_last_bits = 8;
  EXPECT_THAT(Bits(graph, config),
              UnorderedElementsAre(Pair("stem", "W8A8"), Pair("skip", "W4A4"),
                                   Pair("depthwise", "W4A4"), Pair("head", "W8A8")));
  // Two ends, where two branches end; layers without a weight are no ends.
  config.quantizable_layer_type = {"Conv2D", "Add", "GlobalAveragePool"};
  EXPECT_THAT(
      Bits(graph, config),
      UnorderedElementsAre(Pair("stem", "W8A8"), Pair("skip", "W8A8"), Pair("depthwise", "W8A8"),
                           Pair("join", "W4A4"), Pair("pool", "W4A4")));
  // An override's bits come first, the rest of it does not matter.
  config.overrides = {{.pattern = "stem", .weight_bits = 3},
                      {.pattern = "skip", .weight_quantize_type = "abs_max"}};
  EXPECT_EQ(Bits(graph, config)["stem"], "W3A8");
  EXPECT_EQ(Bits(graph, config)["skip"], "W8A8");
  config.overrides.clear();
  config.quantizable_layer_type = {"Add", "GlobalAveragePool"};
  EXPECT_THAT(Bits(graph, config),
              UnorderedElementsAre(Pair("join", "W8A8"), Pair("pool", "W8A8")));
}

// Two layers that want one tensor in different ways each have a quantizer, and the graph runs.
TEST(AnnotateOverridesTest, DifferingBitsOfOneTensorAreTwoQuantizers) {
  Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.overrides = {{.pattern = "skip", .activation_bits = 4}};
  const QuantPlan plan = Annotate(graph, config, {}).value();
  std::map<int, std::vector<std::string>> readers;
  for (const PlannedTensor& tensor : plan.tensors) {
    if (tensor.value->name() != "stem.relu") continue;
    for (const Use& use : tensor.uses) readers[tensor.spec.bits].push_back(use.node->name());
  }
  EXPECT_THAT(readers,
              ElementsAre(Pair(4, ElementsAre("skip")), Pair(8, ElementsAre("depthwise"))));
  InsertFakeQuant(graph, plan);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  const at::Tensor x = at::randn({2, 3, 8, 8});
  RunGraph(graph, x, RunPhase::kCalibrate);
  EXPECT_TRUE(RunGraph(graph, x).isfinite().all().item<bool>());
}

TEST(AnnotateOverridesTest, AWeightWithOneScaleFoldsBatchNormFirst) {
  QuantConfig config;
  config.overrides = {{.pattern = "head", .weight_quantize_type = "channel_wise_lsq_weight"}};
  EXPECT_FALSE(FoldsBatchNormBeforeTraining(config));
  config.overrides = {{.pattern = "head", .weight_quantize_type = "lsq_weight"}};
  EXPECT_TRUE(FoldsBatchNormBeforeTraining(config));
}

// Layer kinds: what each quantizes, as "tensor" or "tensor[axis]" of a weight.
struct KindCase {
  const char* type;
  std::vector<std::string> tensors;
};

class LayerKindTest : public ::testing::TestWithParam<KindCase> {};

TEST_P(LayerKindTest, QuantizesItsTensorsAlone) {
  const Graph graph = BuildAllKindsNet();
  QuantConfig config;
  config.quantizable_layer_type = {GetParam().type};
  const auto plan = Annotate(graph, config, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  std::vector<std::string> tensors;
  for (const PlannedTensor& tensor : plan->tensors) {
    tensors.push_back(tensor.value->name());
    if (tensor.spec.is_weight) tensors.back() += "[" + std::to_string(tensor.spec.axis) + "]";
  }
  EXPECT_THAT(tensors, UnorderedElementsAreArray(GetParam().tensors));
}

INSTANTIATE_TEST_SUITE_P(
    All, LayerKindTest,
    ::testing::Values(KindCase{"Conv1D", {"seq", "conv1d.weight[0]"}},
                      KindCase{"Conv2D", {"pic", "conv2d.weight[0]"}},
                      KindCase{"Conv3D", {"vol", "conv3d.weight[0]"}},
                      KindCase{"Conv1DTranspose", {"conv1d", "conv1dtranspose.weight[1]"}},
                      KindCase{"Conv2DTranspose", {"maxpool", "conv2dtranspose.weight[1]"}},
                      KindCase{"Conv3DTranspose", {"conv3d", "conv3dtranspose.weight[1]"}},
                      KindCase{"Linear", {"flatten", "linear.weight[0]"}},
                      KindCase{"MatMul", {"query", "turn", "matmul"}},
                      KindCase{"Add", {"mul", "tokens"}}, KindCase{"Mul", {"mix", "query"}},
                      KindCase{"Concat", {"concat"}}, KindCase{"MaxPool", {"maxpool"}},
                      KindCase{"AveragePool", {"conv2dtranspose"}},
                      KindCase{"GlobalAveragePool", {"averagepool"}}),
    [](const auto& param) { return std::string(param.param.type); });

TEST(LayerKindsTest, TableIsWhatQuantConfigAccepts) {
  std::vector<absl::string_view> types;
  for (const LayerKind& kind : LayerKindTable()) types.push_back(kind.type);
  EXPECT_THAT(types, UnorderedElementsAreArray(SupportedLayerTypes()));
}

// All of them at once: the graph still runs, calibrates and puts out what it did, roughly.
TEST(LayerKindsTest, AllKindsRunTogether) {
  Graph graph = BuildAllKindsNet();
  QuantConfig config;
  config.quantizable_layer_type.clear();
  for (const absl::string_view type : SupportedLayerTypes()) {
    config.quantizable_layer_type.emplace_back(type);
  }
  config.output_scales = true;
  const auto inputs = AllKindsInputs();
  const at::NoGradGuard no_grad;
  const auto run = [&](RunPhase phase) {
    return Executor::Create(graph).value()->Run(inputs, {.phase = phase}).value();
  };
  const std::vector<at::Tensor> before = run(RunPhase::kEvaluate);
  InsertFakeQuant(graph, Annotate(graph, config, {}).value());
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  // The output channels of the two groups share scales.
  EXPECT_EQ(graph.FindValue("conv2dtranspose.weight.scale")->tensor().numel(), 3);
  run(RunPhase::kCalibrate);
  const std::vector<at::Tensor> after = run(RunPhase::kEvaluate);
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i + 1 < after.size(); ++i) {
    EXPECT_FALSE(at::equal(after[i], before[i])) << i;
    EXPECT_LT((after[i] - before[i]).abs().max().item<double>(),
              0.1 * before[i].abs().max().item<double>())
        << i;
  }
  EXPECT_TRUE(at::equal(after.back(), before.back()));  // sizes
}

}  // namespace
}  // namespace quantry::engine
