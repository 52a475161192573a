#include "worker/engine/quant/cpu_kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "worker/engine/quant/dorefa.h"
#include "worker/engine/quant/fake_quantize.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

constexpr Rounding kRoundings[] = {Rounding::kHalfToEven, Rounding::kHalfAwayFromZero};

TEST(RoundingTest, TiesAndTheirNeighboursGoWhereTheyShould) {
  std::vector<float> values;
  for (int whole = -300; whole <= 300; ++whole) {
    for (const float tie : {static_cast<float>(whole) + 0.5f, static_cast<float>(whole)}) {
      values.push_back(tie);
      values.push_back(std::nextafter(tie, 1e9f));
      values.push_back(std::nextafter(tie, -1e9f));
    }
  }
  values.insert(values.end(), {0.0f, -0.0f, 0.49999997f, -0.49999997f, 65534.5f, -65535.5f});
  const auto n = static_cast<int64_t>(values.size());
  const Grid grid = {.low = -1e6f, .high = 1e6f};
  for (const Rounding rounding : kRoundings) {
    std::vector<float> rounded(values.size());
    FakeQuantizeForward(values.data(), rounded.data(), n, grid, rounding);
    const at::Tensor generic =
        RoundWith(at::tensor(at::ArrayRef<float>(values)), rounding).contiguous();
    for (size_t i = 0; i < values.size(); ++i) {
      const float expected =
          rounding == Rounding::kHalfToEven ? std::nearbyint(values[i]) : std::round(values[i]);
      ASSERT_EQ(rounded[i], expected) << values[i];
      ASSERT_EQ(generic.data_ptr<float>()[i], expected) << values[i];
    }
  }
}

// 16 bits are exact in float32: every integer comes back from its value, whatever the step.
TEST(RoundingTest, EveryIntegerOfSixteenBitsSurvives) {
  for (const float s : {1.0f, 0.037f, 3.3e7f, 7.1e-20f}) {
    for (const int bits : {9, 12, 16}) {
      for (const Rounding rounding : kRoundings) {
        const QParams qparams =
            QParamsOfThresholds(at::scalar_tensor(s), bits, /*full_range=*/false, rounding);
        const at::Tensor integers = at::arange(qparams.qmin, qparams.qmax + 1, at::kInt);
        const at::Tensor values = integers.to(at::kFloat) * qparams.step;
        EXPECT_TRUE(at::equal(QuantizeToIntegers(values, qparams, -1), integers))
            << s << " " << bits;
        const at::Tensor y = FakeQuantizeOn(values, qparams, {}, -1);
        EXPECT_TRUE(at::allclose(y, values, 3e-7, 0)) << s << " " << bits;
        // Once quantized, it stays.
        EXPECT_TRUE(at::equal(FakeQuantizeOn(y, qparams, {}, -1), y)) << s << " " << bits;
      }
      const QParams range = QParamsOfRange(at::tensor({s / 3, s}), bits);
      const at::Tensor integers = at::arange(range.qmin, range.qmax + 1, at::kInt);
      const at::Tensor values = (integers - range.zero_point).to(at::kFloat) * range.step;
      EXPECT_TRUE(at::equal(QuantizeToIntegers(values, range, -1), integers)) << s << " " << bits;
    }
  }
}

TEST(RoundingTest, OffsetGradientIsTheSumOverWhatIsClipped) {
  at::manual_seed(3);
  for (const int64_t n : {0, 1, 15, 16, 1000}) {
    const at::Tensor x = at::randn({n}), dy = at::randn({n});
    const Grid grid = {.low = -0.3f, .high = 0.9f, .step = 0.1f};
    double expected = 0;
    for (int64_t i = 0; i < n; ++i) {
      const float value = x[i].item<float>();
      if (value < grid.low || value > grid.high) expected += dy[i].item<float>();
    }
    EXPECT_NEAR(OffsetGradient(x.data_ptr<float>(), dy.data_ptr<float>(), n, grid), expected, 1e-4);
  }
}

TEST(LearnedOffsetTest, TheRangeMovesWithTheOffsetInWholeSteps) {
  // 2 bits: integers 0..3, step 1. Offset -1.4 is zero point 1: the range is [-1, 2].
  const at::Tensor step = at::scalar_tensor(1.0f);
  const QParams qparams = QParamsOfStep(step, 1.4, 2);
  EXPECT_EQ(qparams.zero_point, 1);
  const at::Tensor x = at::tensor({-3.0f, -1.0f, 0.4f, 2.0f, 5.0f}).set_requires_grad(true);
  const at::Tensor offset = at::scalar_tensor(-1.4f).set_requires_grad(true);
  const at::Tensor steps = step.clone().set_requires_grad(true);
  const at::Tensor y = FakeQuantizeLearnedOn(
      x, qparams, {.steps = steps, .offset = offset, .gradient_factor = 0.5}, -1);
  EXPECT_TRUE(at::equal(y, at::tensor({-1.0f, -1.0f, 0.0f, 2.0f, 2.0f})));
  y.backward(at::tensor({1.0f, 2.0f, 3.0f, 4.0f, 5.0f}));
  EXPECT_TRUE(at::equal(x.grad(), at::tensor({0.0f, 2.0f, 3.0f, 4.0f, 0.0f})));
  // Clipped: dy 1 below, 5 above.
  EXPECT_FLOAT_EQ(offset.grad().item<float>(), 0.5f * 6);
  // 1 * 0 below, 3 * (0 - 0.4) inside, 5 * 3 above.
  EXPECT_FLOAT_EQ(steps.grad().item<float>(), 0.5f * (-1.2f + 15));
  // An offset beyond the range of zero points counts as its end.
  EXPECT_EQ(QParamsOfStep(step, -7, 2).zero_point, 0);
  EXPECT_EQ(QParamsOfStep(step, 1e30, 2).zero_point, 3);
  EXPECT_EQ(QParamsOfStep(step, std::numeric_limits<double>::quiet_NaN(), 2).zero_point, 0);
}

TEST(DorefaTest, PublishedValuesAndOddIntegers) {
  // 2 bits: L = 3; values -1, -1/3, 1/3, 1 times m. tanh w / M: 1, 0.4, 0.1, -0.9 ->
  // round(3 * {1, 0.7, 0.55, 0.05}) = {3, 2, 2, 0} -> {1, 1/3, 1/3, -1}.
  const at::Tensor w = at::atanh(at::tensor({0.8f, 0.32f, 0.08f, -0.72f}));
  const QParams qparams = DorefaQParams(w, at::scalar_tensor(1.0f), 2, Rounding::kHalfToEven);
  const at::Tensor y = FakeQuantizeTanh(w, qparams);
  EXPECT_TRUE(at::allclose(y, at::tensor({1.0f, 1 / 3.0f, 1 / 3.0f, -1.0f})));
  EXPECT_TRUE(at::equal(QuantizeToIntegers(w, qparams, -1), at::tensor({3, 1, 1, -3}, at::kInt)));
  for (int bits = 2; bits <= 16; ++bits) {
    const QParams grid =
        DorefaQParams(at::randn({500}), at::scalar_tensor(0.3f), bits, Rounding::kHalfToEven);
    EXPECT_EQ(grid.qmax, bits < 8 ? UnsignedMax(bits) : QuantMax(bits));
    EXPECT_LE(grid.qmax, bits <= 8 ? 127 : 32767) << "no longer fits its stored type";
    EXPECT_NEAR(grid.step.item<double>() * static_cast<double>(grid.qmax), 0.3, 1e-6);
  }
}

TEST(DorefaTest, AllZerosGiveNothingThatIsNotFinite) {
  const at::Tensor w = at::zeros({3, 3}).set_requires_grad(true);
  for (const int bits : {2, 8}) {
    const QParams qparams = DorefaQParams(w, at::zeros({}), bits, Rounding::kHalfToEven);
    const at::Tensor y = FakeQuantizeTanh(w, qparams);
    y.sum().backward();
    EXPECT_LE(y.abs().max().item<float>(), 1e-6f);
    EXPECT_TRUE(w.grad().isfinite().all().item<bool>());
    EXPECT_GT(qparams.step.item<float>(), 0);
  }
}

}  // namespace
}  // namespace quantry::engine
