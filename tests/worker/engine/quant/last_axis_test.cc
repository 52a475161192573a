#include "worker/engine/quant/last_axis.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "worker/engine/quant/abs_max.h"
#include "worker/engine/quant/fake_quantize.h"

namespace quantry::engine {
namespace {

// Several tasks, and columns that are not whole vectors.
constexpr int64_t kRows = 3000;
constexpr int64_t kColumns = 37;

class LastAxisTest : public testing::Test {
 protected:
  void SetUp() override {
    at::manual_seed(3);
    x_ = at::randn({kRows, kColumns});
    dy_ = at::randn({kRows, kColumns});
    steps_ = at::rand({kColumns}) * 0.2 + 0.01;
  }

  // The same numbers with their channels apart, which other kernels work on.
  static at::Tensor Apart(const at::Tensor& x) { return x.t().contiguous(); }

  at::Tensor x_, dy_, steps_;
};

TEST_F(LastAxisTest, IsWhereNeighboursAreOfDifferentChannels) {
  EXPECT_TRUE(HasChannelsLast(x_, 1));
  EXPECT_FALSE(HasChannelsLast(x_, 0));
  EXPECT_FALSE(HasChannelsLast(x_, -1));
  EXPECT_TRUE(HasChannelsLast(x_.t(), 0));
}

TEST_F(LastAxisTest, QuantizesAsOtherAxesDo) {
  const QParams qparams = QParamsOfSteps(steps_, 4);
  const at::Tensor alpha;
  EXPECT_TRUE(at::equal(FakeQuantizeOn(x_, qparams, alpha, 1),
                        FakeQuantizeOn(Apart(x_), qparams, alpha, 0).t()));
}

TEST_F(LastAxisTest, HasTheGradientsThatOtherAxesHave) {
  const auto gradients = [&](const at::Tensor& values, const at::Tensor& dy, int64_t axis) {
    const at::Tensor x = values.detach().requires_grad_(true);
    const at::Tensor steps = steps_.clone().requires_grad_(true);
    FakeQuantizeLearned(x, steps, 0.5, {.bits = 4, .axis = axis}).backward(dy);
    return std::pair(x.grad(), steps.grad());
  };
  const auto [dx, dstep] = gradients(x_, dy_, 1);
  const auto [dx_apart, dstep_apart] = gradients(Apart(x_), Apart(dy_), 0);
  EXPECT_TRUE(at::equal(dx, dx_apart.t()));
  EXPECT_TRUE(at::allclose(dstep, dstep_apart, /*rtol=*/1e-4, /*atol=*/1e-4));
}

TEST_F(LastAxisTest, MagnitudesAreThoseOfOtherAxes) {
  EXPECT_TRUE(at::equal(AbsMaxOf(x_, 1), AbsMaxOf(Apart(x_), 0)));
}

TEST_F(LastAxisTest, NotANumberIsNotHidden) {
  x_[2990][5] = std::nanf("");
  const at::Tensor y = FakeQuantizeOn(x_, QParamsOfSteps(steps_, 4), {}, 1);
  EXPECT_TRUE(y[2990][5].isnan().item<bool>());
  EXPECT_EQ(y.isnan().sum().item<int64_t>(), 1);
  const at::Tensor most = AbsMaxOf(x_, 1);
  EXPECT_TRUE(most[5].isnan().item<bool>());
  EXPECT_EQ(most.isnan().sum().item<int64_t>(), 1);
}

TEST_F(LastAxisTest, IsTheSameWithEveryNumberOfThreads) {
  const QParams qparams = QParamsOfSteps(steps_, 4);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = StepGradientLastAxis(x_, dy_, qparams, -7, 7);
  at::set_num_threads(3);
  const at::Tensor three = StepGradientLastAxis(x_, dy_, qparams, -7, 7);
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(one, three));
}

}  // namespace
}  // namespace quantry::engine
