#include "worker/engine/kernels/optimizer_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace quantry::engine {
namespace {

constexpr double kTolerance = 1e-6;

std::vector<float> Numbers(int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& number : numbers) number = normal(generator);
  return numbers;
}

class OptimizerStepTest : public testing::TestWithParam<int64_t> {};

TEST_P(OptimizerStepTest, SgdEqualsItsFormulasInDouble) {
  const std::vector<float> before = Numbers(GetParam(), 1);
  const std::vector<float> gradient = Numbers(GetParam(), 2);
  const std::vector<float> old = Numbers(GetParam(), 3);
  std::vector<float> parameter = before;
  std::vector<float> momentum = old;
  const SgdNumbers numbers = {.rate = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f};
  SgdStep(parameter.data(), gradient.data(), momentum.data(), GetParam(), numbers);
  for (size_t i = 0; i < before.size(); ++i) {
    const double moved = 0.9 * double{old[i]} + double{gradient[i]} + 0.01 * double{before[i]};
    EXPECT_NEAR(momentum[i], moved, kTolerance * (1 + std::abs(moved))) << i;
    EXPECT_NEAR(parameter[i], double{before[i]} - 0.1 * moved, kTolerance) << i;
  }
}

TEST_P(OptimizerStepTest, AdamEqualsItsFormulasInDouble) {
  const std::vector<float> before = Numbers(GetParam(), 4);
  const std::vector<float> gradient = Numbers(GetParam(), 5);
  const std::vector<float> old_mean = Numbers(GetParam(), 6);
  std::vector<float> old_square = Numbers(GetParam(), 7);
  for (float& value : old_square) value *= value;
  std::vector<float> parameter = before;
  std::vector<float> mean = old_mean;
  std::vector<float> square = old_square;
  const AdamNumbers numbers = {.rate = 0.05f,
                               .root_share = 0.3f,
                               .epsilon = 1e-4f,
                               .beta1 = 0.9f,
                               .beta2 = 0.99f,
                               .new_mean = 0.1f,
                               .new_square = 0.01f,
                               .weight_decay = 0.02f,
                               .kept = 0.97f};
  AdamStep(parameter.data(), gradient.data(), {mean.data(), square.data()}, GetParam(), numbers);
  for (size_t i = 0; i < before.size(); ++i) {
    const double p = 0.97 * double{before[i]};
    const double g = double{gradient[i]} + 0.02 * p;
    const double m = 0.9 * double{old_mean[i]} + 0.1 * g;
    const double v = 0.99 * double{old_square[i]} + 0.01 * g * g;
    EXPECT_NEAR(mean[i], m, kTolerance * (1 + std::abs(m))) << i;
    EXPECT_NEAR(square[i], v, kTolerance * (1 + v)) << i;
    const double step = 0.05 * m / (std::sqrt(v) / 0.3 + 1e-4);
    EXPECT_NEAR(parameter[i], p - step, kTolerance * (1 + std::abs(p) + std::abs(step))) << i;
  }
}

// Whole vectors, what is left behind them, and nothing.
INSTANTIATE_TEST_SUITE_P(Counts, OptimizerStepTest, testing::Values(0, 1, 16, 67));

}  // namespace
}  // namespace quantry::engine
