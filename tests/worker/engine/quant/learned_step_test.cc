#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "worker/engine/quant/fake_quantize.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

double ScalarValue(double x, double step, double q) {
  return std::nearbyint(std::fmin(std::fmax(x / step, -q), q)) * step;
}

// The paper's derivative of one quantized value by the step.
double ScalarDerivative(double x, double step, double q) {
  const double v = x / step;
  if (v < -q) return -q;
  if (v > q) return q;
  return std::nearbyint(v) - v;
}

TEST(LearnedStepTest, ForwardAndBackwardEqualTheScalarLoop) {
  at::manual_seed(1);
  for (int bits = 2; bits <= 8; ++bits) {
    for (const int64_t axis : {int64_t{-1}, int64_t{0}, int64_t{1}}) {
      for (const bool dense : {true, false}) {
        at::Tensor x = at::randn({3, 5, 41});
        if (!dense) x = at::randn({3, 5, 82}).slice(2, 0, 82, 2);
        x = x.detach().set_requires_grad(true);
        ASSERT_EQ(x.is_non_overlapping_and_dense(), dense);
        const at::Tensor dy = at::randn(x.sizes());
        const double q = QuantMax(bits), g = 0.37;
        const at::Tensor steps = ((axis < 0 ? at::rand({}) : at::rand({x.size(axis)})) + 0.5)
                                     .div(q)
                                     .set_requires_grad(true);
        const at::Tensor y = FakeQuantizeLearned(x, steps, g, {.bits = bits, .axis = axis});
        y.backward(dy);
        at::Tensor expected = at::zeros(steps.sizes(), at::kDouble);
        for (int64_t i = 0; i < x.numel(); ++i) {
          const int64_t a = i / (5 * 41), b = i / 41 % 5, c = i % 41;
          const int64_t channel = axis < 0 ? 0 : axis == 0 ? a : b;
          const auto step = steps.detach().reshape(-1)[channel].item<double>();
          const auto value = x.detach()[a][b][c].item<double>();
          const auto gradient = dy[a][b][c].item<double>();
          ASSERT_NEAR(y.detach()[a][b][c].item<double>(), ScalarValue(value, step, q), 1e-5);
          const bool inside = std::fabs(value) <= q * step;
          ASSERT_EQ(x.grad()[a][b][c].item<double>(), inside ? gradient : 0.0);
          expected.reshape(-1)[channel] += g * gradient * ScalarDerivative(value, step, q);
        }
        EXPECT_TRUE(at::allclose(steps.grad().to(at::kDouble), expected, 1e-3, 1e-3))
            << bits << " " << axis << steps.grad() << expected;
      }
    }
  }
}

// Straight through means that rounding counts as the identity: the function whose derivative the
// published gradient is, is x + (round(v0) - v0) * s inside, where v0 is held fixed.
TEST(LearnedStepTest, GradientIsTheFiniteDifferenceOfTheStraightThroughSurrogate) {
  at::manual_seed(2);
  const int bits = 4;
  const double q = QuantMax(bits), s0 = 0.2, h = 1e-4;
  const at::Tensor x = at::randn({500}), dy = at::randn({500});
  const at::Tensor step = at::scalar_tensor(s0).to(at::kFloat).set_requires_grad(true);
  FakeQuantizeLearned(x, step, 1.0, {.bits = bits}).backward(dy);
  const auto surrogate = [&](double s) {
    double total = 0;
    for (int64_t i = 0; i < x.numel(); ++i) {
      const double v0 = x[i].item<double>() / s0;
      const double integers = std::fmin(std::fmax(v0, -q), q);
      const double offset = std::fabs(v0) > q ? 0 : std::nearbyint(v0) - v0;
      // The part that follows x exactly does not change with s; the clipped bound does.
      const double value = std::fabs(v0) > q ? integers * s : x[i].item<double>() + offset * s;
      total += dy[i].item<double>() * value;
    }
    return total;
  };
  const double difference = (surrogate(s0 + h) - surrogate(s0 - h)) / (2 * h);
  EXPECT_NEAR(step.grad().item<double>(), difference, 1e-3 * std::fabs(difference) + 1e-3);
}

TEST(LearnedStepTest, AStepBelowTheSmallestStillQuantizes) {
  const at::Tensor x = at::tensor({-1.0f, 0.0f, 1.0f});
  const at::Tensor step = at::scalar_tensor(-1.0f).set_requires_grad(true);
  const at::Tensor y = FakeQuantizeLearned(x, step, 1.0, {.bits = 8});
  EXPECT_TRUE(at::allclose(y, at::tensor({-127.0f, 0.0f, 127.0f}) * kSmallestStep));
  // dL/dy = y - x wants larger values, so the step must grow.
  y.backward(y.detach() - x);
  EXPECT_LT(step.grad().item<float>(), 0.0f);
}

TEST(QParamsTest, RangesRepresentZeroExactlyAndReachBothEnds) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (const auto& range : {at::tensor({0.0f, 3.0f}), at::tensor({0.4f, 3.0f}),
                              at::tensor({3.0f, 0.0f}), at::tensor({2.0f, 2.0f})}) {
      const QParams qparams = QParamsOfRange(range, bits);
      const auto step = qparams.step.item<float>();
      EXPECT_EQ(qparams.qmin, 0);
      EXPECT_EQ(qparams.qmax, (1 << bits) - 1);
      EXPECT_GE(qparams.zero_point, qparams.qmin);
      EXPECT_LE(qparams.zero_point, qparams.qmax);
      EXPECT_NEAR(-qparams.low.item<float>(), range[0].item<float>(), step / 2 + 1e-6);
      EXPECT_NEAR(qparams.high.item<float>(), range[1].item<float>(), step / 2 + 1e-6);
      const at::Tensor x = at::linspace(-4, 4, 301);
      const at::Tensor integers = QuantizeToIntegers(x, qparams, -1);
      EXPECT_GE(integers.min().item<int>(), qparams.qmin);
      EXPECT_LE(integers.max().item<int>(), qparams.qmax);
      EXPECT_TRUE(at::allclose((integers - qparams.zero_point).to(at::kFloat) * step,
                               FakeQuantizeOn(x, qparams, {}, -1)));
    }
  }
  const QParams empty = QParamsOfRange(at::zeros({2}), 8);
  EXPECT_GT(empty.step.item<float>(), 0.0f);
  EXPECT_EQ(FakeQuantizeOn(at::tensor({5.0f, -5.0f}), empty, {}, -1).abs().max().item<float>(), 0);
}

}  // namespace
}  // namespace quantry::engine
