#include "worker/engine/passes/annotate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/engine/passes/small_net.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/passes/insert_fake_quant.h"

namespace quantry::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Names(const QuantPlan& plan) {
  std::vector<std::string> names;
  for (const PlannedTensor& tensor : plan.tensors) names.push_back(tensor.value->name());
  return names;
}

TEST(AnnotateTest, InputsAndWeightsOfLayersEachOnce) {
  const Graph graph = BuildSmallNet(1);
  const auto plan = Annotate(graph, {}, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(Names(*plan), ElementsAre("input", "stem.weight", "stem.relu", "skip.weight",
                                        "depthwise.weight", "dropout", "head.weight"));
  EXPECT_EQ(plan->tensors[2].uses.size(), 2u);  // two convolutions read it
  EXPECT_EQ(plan->tensors[1].spec.axis, 0);
  EXPECT_TRUE(plan->tensors[1].spec.is_weight);
  EXPECT_EQ(plan->tensors[0].spec.axis, -1);
  EXPECT_EQ(plan->tensors[0].spec.quantizer, "moving_average_abs_max");
}

TEST(AnnotateTest, EveryChoiceOfTheConfigReachesTheSpec) {
  const Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.weight_preprocess_type = "PACT";
  config.weight_quantize_type = "moving_average_abs_max";
  config.activation_quantize_type = "abs_max";
  config.weight_bits = 3;
  config.activation_bits = 5;
  config.moving_rate = 0.75;
  const auto plan = Annotate(graph, config, {.alpha = 20.0f});
  ASSERT_TRUE(plan.ok()) << plan.status();
  const PlannedTensor& input = plan->tensors[0];
  const PlannedTensor& weight = plan->tensors[1];
  EXPECT_EQ(input.spec.quantizer, "abs_max");
  EXPECT_EQ(input.spec.bits, 5);
  EXPECT_FALSE(input.spec.pact);
  EXPECT_EQ(input.alpha_start, std::nullopt);
  EXPECT_EQ(weight.spec.quantizer, "moving_average_abs_max");
  EXPECT_EQ(weight.spec.bits, 3);
  EXPECT_EQ(weight.spec.axis, -1);
  EXPECT_EQ(weight.spec.moving_rate, 0.75f);
  EXPECT_TRUE(weight.spec.pact);
  EXPECT_EQ(weight.alpha_start, 20.0f);
  EXPECT_FALSE(weight.spec.alpha_from_calibration);
}

TEST(AnnotateTest, LayerTypesAndPatternsChoose) {
  const Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.quantizable_layer_type = {"Linear"};
  EXPECT_THAT(Names(*Annotate(graph, config, {})), ElementsAre("dropout", "head.weight"));
  config.quantizable_layer_type = {"Conv2D"};
  config.not_quant_pattern = {"stem", "skip.weight"};  // a node's name, a weight's name
  EXPECT_THAT(Names(*Annotate(graph, config, {})), ElementsAre("stem.relu", "depthwise.weight"));
  config.not_quant_pattern = {"s", "e"};
  const auto nothing = Annotate(graph, config, {});
  EXPECT_EQ(nothing.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(nothing.status().message()), HasSubstr("not_quant_pattern"));
}

TEST(AnnotateTest, FoldsBeforeTrainingWhereAskedOrNeeded) {
  QuantConfig config;
  EXPECT_FALSE(FoldsBatchNormBeforeTraining(config));
  config.fuse_conv_bn = true;
  EXPECT_TRUE(FoldsBatchNormBeforeTraining(config));
  config.fuse_conv_bn = false;
  config.weight_quantize_type = "abs_max";
  EXPECT_TRUE(FoldsBatchNormBeforeTraining(config));
}

TEST(InsertFakeQuantTest, InsertsStateAndTakesItOutAgain) {
  Graph graph = BuildSmallNet(1);
  const at::Tensor x = at::randn({2, 3, 8, 8});
  const at::Tensor before = RunGraph(graph, x);
  const size_t initializers = graph.initializers().size();
  const int64_t parameters = graph.ParameterCount();
  QuantConfig config;
  config.activation_preprocess_type = "PACT";
  InsertFakeQuant(graph, *Annotate(graph, config, {}));
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  ASSERT_NE(graph.FindNode("stem.weight.fake_quant"), nullptr);
  EXPECT_EQ(graph.FindValue("stem.weight.scale")->tensor().numel(), 8);
  EXPECT_EQ(graph.FindValue("stem.relu.scale")->role(), InitializerRole::kBuffer);
  EXPECT_EQ(PactAlphas(graph).size(), 3u);
  EXPECT_EQ(graph.ParameterCount(), parameters + 3);

  // Calibrating hands values through and makes alpha what was seen.
  EXPECT_TRUE(at::equal(RunGraph(graph, x, RunPhase::kCalibrate), before));
  EXPECT_EQ(graph.FindValue("input.alpha")->tensor().item<float>(), x.abs().max().item<float>());
  EXPECT_FALSE(at::equal(RunGraph(graph, x), before));

  RemoveFakeQuant(graph);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  EXPECT_EQ(graph.initializers().size(), initializers);
  EXPECT_TRUE(at::equal(RunGraph(graph, x), before));
}

TEST(InsertFakeQuantTest, WindowAndCountAreBuffersOfTheGraph) {
  Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.weight_quantize_type = config.activation_quantize_type = "range_abs_max";
  config.window_size = 3;
  InsertFakeQuant(graph, *Annotate(graph, config, {}));
  const Value* window = graph.FindValue("input.window");
  const Value* count = graph.FindValue("stem.weight.count");
  ASSERT_TRUE(window != nullptr && count != nullptr);
  EXPECT_EQ(window->role(), InitializerRole::kBuffer);
  EXPECT_EQ(window->tensor().sizes(), at::IntArrayRef({3}));
  for (int i = 0; i < 4; ++i) RunGraph(graph, at::full({1, 3, 8, 8}, 4.0f - i), RunPhase::kTrain);
  EXPECT_EQ(count->role(), InitializerRole::kBuffer);
  EXPECT_EQ(count->tensor().item<int64_t>(), 4);
  EXPECT_TRUE(at::equal(window->tensor(), at::tensor({1.0f, 3.0f, 2.0f})));
  EXPECT_EQ(graph.FindValue("input.scale")->tensor().item<float>(), 3.0f);
}

TEST(InsertFakeQuantTest, LearnedStepsAreParametersThatCalibrationStarts) {
  Graph graph = BuildSmallNet(1);
  const int64_t parameters = graph.ParameterCount();
  QuantConfig config;
  config.weight_quantize_type = "channel_wise_lsq_weight";
  config.activation_quantize_type = "lsq_act";
  config.weight_bits = config.activation_bits = 4;
  InsertFakeQuant(graph, *Annotate(graph, config, {}));
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph);
  EXPECT_EQ(LearnedSteps(graph).size(), 7u);
  EXPECT_EQ(graph.ParameterCount(), parameters + 3 + 8 + 8 + 8 + kSmallNetClasses);
  const at::Tensor x = at::randn({2, 3, 8, 8});
  RunGraph(graph, x, RunPhase::kCalibrate);
  const at::Tensor step = graph.FindValue("input.learned_step")->tensor();
  EXPECT_NEAR(step.item<double>(), 2 * x.abs().mean().item<double>() / std::sqrt(7.0), 1e-6);
  // From then on it is the optimizer's alone.
  step.fill_(0.5);
  RunGraph(graph, x * 9, RunPhase::kTrain);
  EXPECT_EQ(step.item<float>(), 0.5f);
}

// g = 1 / sqrt(N * q): N is what one example has of an activation, and what a weight's channel has.
TEST(InsertFakeQuantTest, LearnedStepsGetTheirGradientsScaled) {
  Graph graph = BuildSmallNet(1);
  QuantConfig config;
  config.weight_quantize_type = "channel_wise_lsq_weight";
  config.activation_quantize_type = "lsq_act";
  config.weight_bits = config.activation_bits = 3;
  InsertFakeQuant(graph, *Annotate(graph, config, {}));
  RunGraph(graph, at::randn({2, 3, 8, 8}), RunPhase::kCalibrate);
  const at::Tensor x = at::full({4, 3, 8, 8}, 1e6f);
  const Node* node = graph.FindNode("input.fake_quant");
  const at::Tensor step = graph.FindValue("input.learned_step")->tensor().set_requires_grad(true);
  std::vector<at::Tensor> inputs;
  for (const Value* value : node->inputs()) {
    inputs.push_back(value == nullptr ? at::Tensor() : value->tensor());
  }
  inputs[0] = x;
  const auto outputs =
      FindOperator(kFakeQuantizeOp)->evaluate(*node, inputs, {.phase = RunPhase::kTrain});
  outputs[0].sum().backward();
  const double n = 3 * 8 * 8, q = 3;
  EXPECT_NEAR(step.grad().item<double>(), 4 * n * q / std::sqrt(n * q), 1e-2);
}

TEST(InsertFakeQuantTest, EvaluatingBeforeCalibrationIsRefused) {
  Graph graph = BuildSmallNet(1);
  InsertFakeQuant(graph, *Annotate(graph, {}, {}));
  const auto executor = Executor::Create(graph).value();
  const auto result = executor->Run({at::zeros({1, 3, 8, 8})}, {.phase = RunPhase::kEvaluate});
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("calibrate"));
}

TEST(InsertFakeQuantTest, FrozenStatisticsStay) {
  Graph graph = BuildSmallNet(1);
  InsertFakeQuant(graph, *Annotate(graph, {}, {}));
  const at::Tensor x = at::randn({2, 3, 8, 8});
  RunGraph(graph, x, RunPhase::kCalibrate);
  const at::Tensor scale = graph.FindValue("input.scale")->tensor().clone();
  const auto executor = Executor::Create(graph).value();
  ASSERT_TRUE(executor->Run({x * 9}, {.phase = RunPhase::kTrain, .observers_frozen = true}).ok());
  EXPECT_TRUE(at::equal(graph.FindValue("input.scale")->tensor(), scale));
  ASSERT_TRUE(executor->Run({x * 9}, {.phase = RunPhase::kTrain}).ok());
  EXPECT_GT(graph.FindValue("input.scale")->tensor().item<float>(), scale.item<float>());
}

}  // namespace
}  // namespace quantry::engine
