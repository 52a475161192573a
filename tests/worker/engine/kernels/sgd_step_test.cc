#include "worker/engine/kernels/sgd_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace quantry::engine {
namespace {

class SgdStepTest : public testing::TestWithParam<int64_t> {};

TEST_P(SgdStepTest, EqualsTheFormulasInDouble) {
  const auto count = static_cast<size_t>(GetParam());
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  std::vector<float> parameter(count), gradient(count), momentum(count);
  for (size_t i = 0; i < count; ++i) {
    parameter[i] = normal(generator);
    gradient[i] = normal(generator);
    momentum[i] = normal(generator);
  }
  const std::vector<float> before = parameter;
  const std::vector<float> old = momentum;
  const SgdNumbers numbers = {.rate = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f};
  SgdStep(parameter.data(), gradient.data(), momentum.data(), GetParam(), numbers);
  for (size_t i = 0; i < count; ++i) {
    const double moved = 0.9 * double{old[i]} + double{gradient[i]} + 0.01 * double{before[i]};
    EXPECT_NEAR(momentum[i], moved, 1e-6 * (1 + std::abs(moved))) << i;
    EXPECT_NEAR(parameter[i], double{before[i]} - 0.1 * moved, 1e-6) << i;
  }
}

// Whole vectors, what is left behind them, and nothing.
INSTANTIATE_TEST_SUITE_P(Counts, SgdStepTest, testing::Values(0, 1, 16, 67));

}  // namespace
}  // namespace quantry::engine
