#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "tests/worker/engine/ops/operator_cases.h"
#include "worker/engine/evaluate/executor.h"
#include "worker/engine/graph/verify.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

// A node on one input, as a file of an old opset has it.
struct OldNode {
  OldNode(absl::string_view op, AttributeMap attributes, size_t more_inputs = 0) {
    std::vector<Value*> inputs = {graph.AddInput("x", {.dtype = at::kFloat})};
    for (size_t i = 0; i < more_inputs; ++i) {
      inputs.push_back(
          graph.AddInitializer("c", at::scalar_tensor(true), InitializerRole::kConstant));
    }
    node = graph.AddNode(op, "n", std::move(inputs), std::move(attributes), {"y"});
    graph.AddOutput(node->output());
  }

  absl::Status Upgrade(int64_t opset) {
    return FindOperator(node->op())->upgrade(graph, *node, opset);
  }

  // Upgrades, checks and runs.
  at::Tensor Run(int64_t opset, const at::Tensor& x) {
    const absl::Status upgraded = Upgrade(opset);
    EXPECT_TRUE(upgraded.ok()) << upgraded;
    EXPECT_TRUE(Verify(graph).ok()) << Verify(graph);
    const auto executor = Executor::Create(graph);
    EXPECT_TRUE(executor.ok()) << executor.status();
    if (!executor.ok()) return {};
    const auto outputs = (*executor)->Run({x}, {});
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    return outputs.ok() ? outputs->at(0) : at::Tensor();
  }

  Graph graph;
  Node* node;
};

TEST(UpgradeTest, BoundsOfClip) {
  OldNode both("Clip", {{"min", 0.0f}, {"max", 6.0f}});
  const at::Tensor x = at::tensor({-1.0f, 3.0f, 9.0f});
  EXPECT_TRUE(at::equal(both.Run(6, x), at::tensor({0.0f, 3.0f, 6.0f})));
  OldNode above("Clip", {{"max", 6.0f}});
  EXPECT_TRUE(at::equal(above.Run(10, x), at::tensor({-1.0f, 3.0f, 6.0f})));
  OldNode wrong("Clip", {{"max", int64_t{6}}});
  EXPECT_THAT(std::string(wrong.Upgrade(10).message()), HasSubstr("'max' has the wrong type"));
}

TEST(UpgradeTest, NewNamesOfGridSample) {
  for (const auto& [opset, given, expected] :
       {std::tuple(20, "cubic", "bicubic"), std::tuple(20, "linear", "bilinear"),
        std::tuple(20, "nearest", "nearest"), std::tuple(16, "bicubic", "bicubic")}) {
    OldNode node("GridSample", {{"mode", std::string(given)}});
    ASSERT_TRUE(node.Upgrade(opset).ok());
    EXPECT_EQ(node.node->String("mode", ""), expected);
  }
}

TEST(UpgradeTest, AxisOfDft) {
  const at::Tensor x = Numbers({2, 3, 4, 1});
  OldNode constant("DFT", {});
  constant.graph.SetInput(constant.node, 2,
                          constant.graph.AddInitializer("axis", at::scalar_tensor(1, at::kLong),
                                                        InitializerRole::kConstant));
  EXPECT_TRUE(at::allclose(constant.Run(20, x).select(-1, 0).select(1, 0), x.sum(1).squeeze(-1)));
  OldNode none("DFT", {});
  EXPECT_TRUE(at::allclose(none.Run(20, x).select(-1, 0).select(2, 0), x.sum(2).squeeze(-1)));
  OldNode computed("DFT", {});
  computed.graph.SetInput(computed.node, 2, computed.graph.AddInput("axis", {.dtype = at::kLong}));
  EXPECT_THAT(std::string(computed.Upgrade(20).message()), HasSubstr("constant"));
}

TEST(UpgradeTest, RatioOfDropout) {
  OldNode old("Dropout", {{"ratio", 0.25f}});
  ASSERT_TRUE(old.Upgrade(11).ok());
  ASSERT_NE(old.node->input(1), nullptr);
  EXPECT_EQ(old.node->input(1)->tensor().item<float>(), 0.25f);
  EXPECT_TRUE(VerifyOperators(old.graph).ok());
}

TEST(UpgradeTest, TrainingModeOfDropoutIsThePhases) {
  OldNode training("Dropout", {{"seed", int64_t{1}}}, 2);
  ASSERT_TRUE(training.Upgrade(13).ok());
  EXPECT_EQ(training.node->input(2), nullptr);
  EXPECT_FALSE(training.node->HasAttribute("seed"));
}

TEST(UpgradeTest, BatchNormalizationForgetsTrainingMode) {
  OldNode training("BatchNormalization", {{"training_mode", int64_t{1}}}, 4);
  ASSERT_TRUE(training.Upgrade(15).ok());
  EXPECT_TRUE(VerifyOperators(training.graph).ok());
  OldNode spatial("BatchNormalization", {{"spatial", int64_t{0}}}, 4);
  EXPECT_THAT(std::string(spatial.Upgrade(7).message()), HasSubstr("'spatial' is 0"));
}

TEST(UpgradeTest, AxesBecomeInputs) {
  const at::Tensor x = Numbers({2, 1, 3});
  OldNode mean("ReduceMean", {{"axes", Ints{2}}, {"keepdims", int64_t{0}}});
  EXPECT_TRUE(at::allclose(mean.Run(13, x), x.mean(2)));
  OldNode squeeze("Squeeze", {{"axes", Ints{1}}});
  EXPECT_TRUE(at::equal(squeeze.Run(11, x), x.squeeze(1)));
  OldNode unsqueeze("Unsqueeze", {{"axes", Ints{0}}});
  EXPECT_TRUE(at::equal(unsqueeze.Run(11, x), x.unsqueeze(0)));
}

TEST(UpgradeTest, ArgumentsOfPadAndSlice) {
  const at::Tensor x = at::tensor({1.0f, 2.0f, 3.0f});
  OldNode pad("Pad", {{"pads", Ints{1, 0}}, {"value", 7.0f}});
  EXPECT_TRUE(at::equal(pad.Run(10, x), at::tensor({7.0f, 1.0f, 2.0f, 3.0f})));
  OldNode slice("Slice", {{"starts", Ints{1}}, {"ends", Ints{3}}, {"axes", Ints{0}}});
  EXPECT_TRUE(at::equal(slice.Run(9, x), at::tensor({2.0f, 3.0f})));
}

TEST(UpgradeTest, OldSoftmaxRunsOverAllLaterAxes) {
  const at::Tensor x = Numbers({2, 3, 4});
  OldNode old("Softmax", {});
  const at::Tensor y = old.Run(11, x);
  EXPECT_TRUE(at::allclose(y, at::softmax(x.flatten(1), 1).reshape({2, 3, 4})));
  EXPECT_EQ(old.graph.outputs()[0]->name(), "y");
  OldNode recent("Softmax", {{"axis", int64_t{1}}});
  EXPECT_TRUE(at::allclose(recent.Run(13, x), at::softmax(x, 1)));
}

TEST(UpgradeTest, OldSoftmaxOverTheLastAxisStaysOneNode) {
  OldNode old("Softmax", {{"axis", int64_t{1}}});
  old.graph.inputs()[0]->type.shape = std::vector<Dimension>{std::nullopt, 10};
  const at::Tensor x = Numbers({2, 10});
  EXPECT_TRUE(at::allclose(old.Run(12, x), at::softmax(x, 1)));
  EXPECT_EQ(old.graph.nodes().size(), 1);
}

}  // namespace
}  // namespace quantry::engine
