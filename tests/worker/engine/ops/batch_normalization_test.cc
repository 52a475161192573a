#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/nn.h>

#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

// A BatchNormalization of 3 channels as torch exports one with its default settings.
class BatchNormalizationTest : public testing::Test {
 protected:
  at::Tensor Evaluate(const at::Tensor& x, const EvaluateContext& context) {
    return FindOperator("BatchNormalization")
        ->evaluate(*node_, {x, gamma_, beta_, mean_, variance_}, context)
        .at(0);
  }

  Graph graph_;
  Node* node_ =
      graph_.AddNode("BatchNormalization", "bn", {}, {{"epsilon", 1e-5f}, {"momentum", 0.9f}});
  at::Tensor gamma_ = at::ones({3});
  at::Tensor beta_ = at::zeros({3});
  at::Tensor mean_ = at::zeros({3});
  at::Tensor variance_ = at::ones({3});
};

TEST_F(BatchNormalizationTest, UpdatesRunningStatisticsBitForBitAsTorch) {
  at::manual_seed(3);
  torch::nn::BatchNorm2d reference(3);
  for (int step = 0; step < 5; ++step) {
    const at::Tensor x =
        (at::randn({4, 3, 5, 5}) * 3.0 + 1.0).contiguous(at::MemoryFormat::ChannelsLast);
    EXPECT_TRUE(at::equal(Evaluate(x, {.phase = RunPhase::kTrain}), reference->forward(x)));
    EXPECT_TRUE(at::equal(mean_, reference->running_mean));
    EXPECT_TRUE(at::equal(variance_, reference->running_var));
  }
  reference->eval();
  const at::Tensor x = at::randn({2, 3, 5, 5});
  EXPECT_TRUE(at::equal(Evaluate(x, {.phase = RunPhase::kEvaluate}), reference->forward(x)));
}

TEST_F(BatchNormalizationTest, StatisticsStayWhenFrozenOrNotTraining) {
  const at::Tensor x = at::randn({4, 3, 5, 5}) + 2.0;
  for (const EvaluateContext& context :
       {EvaluateContext{.phase = RunPhase::kTrain, .statistics_frozen = true},
        EvaluateContext{.phase = RunPhase::kEvaluate},
        EvaluateContext{.phase = RunPhase::kCalibrate}}) {
    EXPECT_TRUE(at::allclose(Evaluate(x, context), x, 1e-4, 1e-4));
    EXPECT_TRUE(at::equal(mean_, at::zeros({3})));
    EXPECT_TRUE(at::equal(variance_, at::ones({3})));
  }
}

TEST(DecimalOfTest, IsTheNumberThatWasWritten) {
  EXPECT_EQ(DecimalOf(0.9f), 0.9);
  EXPECT_EQ(DecimalOf(1e-5f), 1e-5);
  EXPECT_EQ(DecimalOf(0.001f), 0.001);
  EXPECT_EQ(DecimalOf(0.0f), 0.0);
  EXPECT_EQ(DecimalOf(-2.5f), -2.5);
}

}  // namespace
}  // namespace quantry::engine
