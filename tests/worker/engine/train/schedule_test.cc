#include "worker/engine/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace quantry::engine {
namespace {

constexpr ScheduleExtent kTenByTen{.steps_per_epoch = 10, .epochs = 10};

TEST(ScheduleTest, ConstantStaysAtTheBaseRate) {
  const ScheduleOptions options{.kind = ScheduleKind::kConstant, .learning_rate = 0.3};
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 0), 0.3);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 99), 0.3);
}

TEST(ScheduleTest, CosineFallsFromBaseToNearlyZero) {
  const ScheduleOptions options{.kind = ScheduleKind::kCosine, .learning_rate = 0.2};
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 0), 0.2);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 50), 0.1);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 25),
                   0.1 * (1 + std::cos(std::numbers::pi / 4)));
  EXPECT_NEAR(LearningRateAt(options, kTenByTen, 99), 0.2 * 0.000247, 1e-6);
}

TEST(ScheduleTest, StepDropsAtEpochBoundaries) {
  const ScheduleOptions options{
      .kind = ScheduleKind::kStep, .learning_rate = 1.0, .step_epochs = 3, .step_gamma = 0.5};
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 29), 1.0);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 30), 0.5);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 60), 0.25);
}

TEST(ScheduleTest, PolynomialFallsAsAPowerOfWhatIsLeft) {
  ScheduleOptions options{.kind = ScheduleKind::kPolynomial, .learning_rate = 0.2};
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 0), 0.2);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 75), 0.05);
  options.polynomial_power = 2.0;
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 50), 0.05);
}

TEST(ScheduleTest, WarmUpRisesLinearlyAndTheRestFollows) {
  const ScheduleOptions options{
      .kind = ScheduleKind::kCosine, .learning_rate = 0.4, .warmup_epochs = 2};
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 0), 0.4 / 20);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 9), 0.2);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 19), 0.4);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 20), 0.4);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 60), 0.2);
}

TEST(ScheduleTest, WarmUpLongerThanTheRunNeverReachesTheBaseRate) {
  const ScheduleOptions options{.learning_rate = 1.0, .warmup_epochs = 20};
  EXPECT_DOUBLE_EQ(LearningRateAt(options, kTenByTen, 99), 0.5);
}

}  // namespace
}  // namespace quantry::engine
