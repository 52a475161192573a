#include "worker/engine/kernels/cuda/chain_formula.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "worker/engine/kernels/chain.h"

namespace quantry::engine {
namespace {

constexpr int64_t kChannels = 5;
constexpr int64_t kRows = 203;
constexpr int64_t kCount = kRows * kChannels;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> Random(int64_t count, float scale, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(engine);
  return values;
}

// One chain of each kind, and the numbers that it works on.
class ChainFormulaTest
    : public testing::TestWithParam<std::tuple<ChainActivation, bool, bool, bool>> {
 protected:
  void SetUp() override {
    const auto [activation, inner, operand, outer] = GetParam();
    operand_ = operand;
    chain_.channels = kChannels;
    chain_.activation = activation;
    chain_.has_inner = inner;
    chain_.has_outer = outer;
    chain_.operand_step = 0.5f;
    chain_.inner = {-2.0f, 2.0f, 2.0f / 127};
    chain_.outer = {-1.5f, 1.9f, 1.9f / 127};
    chain_.slope = activation == ChainActivation::kHardSigmoid ? 1.0f / 6 : 0.1f;
    chain_.offset = 0.5f;
    if (activation == ChainActivation::kClamp) {
      chain_.low = 0;
      chain_.high = 6;
      chain_.gradient_low = std::nextafter(0.0f, kInfinity);
      chain_.gradient_high = std::nextafter(6.0f, 0.0f);
    }
    periodic_mean_ = Periodic(mean_);
    periodic_scale_ = Periodic(scale_);
    periodic_shift_ = Periodic(shift_);
    chain_.mean = periodic_mean_.data();
    chain_.scale = periodic_scale_.data();
    chain_.shift = periodic_shift_.data();
  }

  ConstElements r() const { return {operand_ ? r_.data() : nullptr}; }
  ChannelNumbers Channel(int64_t i) const {
    const auto c = static_cast<size_t>(i % kChannels);
    return {mean_[c], scale_[c], shift_[c]};
  }
  ChainElement Element(int64_t i) const {
    const auto at = static_cast<size_t>(i);
    return ChainElement(form(), Channel(i), chain_.inner, x_[at], operand_ ? r_[at] : 0.0f);
  }
  ChainForm form() const { return ChainForm::Of(chain_, operand_); }
  float Gradient(int64_t i) const {
    const ChainElement element = Element(i);
    const float of_sum = element.BackToSum(form(), chain_.outer, dy_[static_cast<size_t>(i)]);
    return element.BackToAffine(form(), chain_.inner, of_sum);
  }
  // Curves are computed by other means here and there.
  double Tolerance() const { return chain_.activation == ChainActivation::kClamp ? 0.0 : 4e-6; }

  bool operand_ = false;
  ElementwiseChain chain_;
  std::vector<float> mean_ = Random(kChannels, 1, 1), scale_ = Random(kChannels, 1, 2),
                     shift_ = Random(kChannels, 1, 3);
  std::vector<float> periodic_mean_, periodic_scale_, periodic_shift_;
  std::vector<float> x_ = Random(kCount, 2, 4), r_ = Random(kCount, 2, 5),
                     dy_ = Random(kCount, 1, 6);
};

TEST_P(ChainFormulaTest, ResultsAreThoseOfTheCpusKernels) {
  std::vector<float> y(kCount);
  ChainForward({x_.data()}, r(), {y.data()}, kRows, chain_);
  // A value in the middle of two levels may go either way by its last bit.
  int others = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const float result = Element(i).Result(form(), chain_.outer);
    const float expected = y[static_cast<size_t>(i)];
    if (std::abs(result - expected) > Tolerance()) ++others;
    EXPECT_NEAR(result, expected, chain_.has_outer ? 1.01 * chain_.outer.step : 1e-5) << i;
  }
  EXPECT_LE(others, Tolerance() == 0 ? 0 : 1);
}

TEST_P(ChainFormulaTest, SumsAreThoseOfTheCpusKernels) {
  const size_t period = static_cast<size_t>(RowsPerPeriod(kChannels) * kChannels);
  std::vector<float> gradient(period, 0.0f), moment(period, 0.0f);
  ChainBackwardSums({x_.data()}, r(), {dy_.data()}, {}, kRows, chain_,
                    {.gradient = gradient.data(), .moment = moment.data()});
  for (int64_t c = 0; c < kChannels; ++c) {
    double sum = 0, sum_of_moments = 0, expected = 0, expected_moment = 0;
    for (int64_t i = c; i < kCount; i += kChannels) {
      sum += static_cast<double>(Gradient(i));
      sum_of_moments += static_cast<double>(Gradient(i)) * static_cast<double>(Element(i).distance);
    }
    for (size_t i = static_cast<size_t>(c); i < period; i += kChannels) {
      expected += static_cast<double>(gradient[i]);
      expected_moment += static_cast<double>(moment[i]);
    }
    EXPECT_NEAR(sum, expected, 1e-4) << c;
    EXPECT_NEAR(sum_of_moments, expected_moment, 1e-3) << c;
  }
}

TEST_P(ChainFormulaTest, GradientsAreThoseOfTheCpusKernels) {
  std::vector<float> dx(kCount);
  ChainBackwardInput({x_.data()}, r(), {dy_.data()}, {dx.data()}, kRows, chain_,
                     {.scale = periodic_scale_.data()});
  for (int64_t i = 0; i < kCount; ++i) {
    const float expected = dx[static_cast<size_t>(i)];
    EXPECT_NEAR(Channel(i).scale * Gradient(i), expected,
                Tolerance() * std::max(1.0f, std::abs(expected)))
        << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Chains, ChainFormulaTest,
    testing::Combine(testing::Values(ChainActivation::kClamp, ChainActivation::kHardSwish,
                                     ChainActivation::kHardSigmoid, ChainActivation::kSigmoid,
                                     ChainActivation::kSilu, ChainActivation::kGelu,
                                     ChainActivation::kGeluTanh, ChainActivation::kLeakyRelu),
                     testing::Bool(), testing::Bool(), testing::Bool()));

TEST(ChainFormula, NotANumberIsNotHidden) {
  const float nan = std::nanf("");
  for (const ChainActivation activation :
       {ChainActivation::kClamp, ChainActivation::kHardSwish, ChainActivation::kHardSigmoid,
        ChainActivation::kSigmoid, ChainActivation::kSilu, ChainActivation::kGelu,
        ChainActivation::kGeluTanh, ChainActivation::kLeakyRelu}) {
    ElementwiseChain chain;
    chain.activation = activation;
    chain.has_inner = chain.has_outer = true;
    const ChainForm form = ChainForm::Of(chain, /*has_operand=*/false);
    const ChainElement element(form, {}, chain.inner, nan, 0);
    EXPECT_TRUE(std::isnan(element.Result(form, chain.outer))) << static_cast<int>(activation);
  }
}

}  // namespace
}  // namespace quantry::engine
