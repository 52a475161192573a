#include "worker/engine/quant/fake_quantize.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "worker/engine/quant/abs_max.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

// The formula, one number at a time. std::nearbyint rounds halves to even.
float ScalarFakeQuantize(float x, float s, int bits) {
  const float q = static_cast<float>((1 << (bits - 1)) - 1);
  const float step = (s <= 1e-30f ? s + 1e-6f : s) / q;
  const float clamped = std::fmin(std::fmax(x, -s), s);
  return std::nearbyint(clamped / step) * step;
}

float AbsMaxByLoop(const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) largest = std::fmax(largest, std::fabs(value));
  return largest;
}

std::vector<float> Values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().contiguous().view(-1);
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

struct Layout {
  const char* name;
  std::vector<int64_t> shape;
  bool channels_last;
};

// Sizes around and beyond the vector width and the chunk of parallel work.
const std::vector<Layout>& Layouts() {
  static const std::vector<Layout> layouts = {{"scalar-like", {1}, false},
                                              {"odd", {3, 5, 1, 7}, false},
                                              {"channels_last", {3, 5, 7, 9}, true},
                                              {"wide", {4, 20000}, false},
                                              {"many channels", {64, 33, 3, 3}, true},
                                              {"depthwise", {40, 1, 3, 3}, true}};
  return layouts;
}

at::Tensor RandomTensor(const Layout& layout) {
  at::Tensor x = at::randn(layout.shape) * 2;
  return layout.channels_last ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

TEST(FakeQuantizeTest, PerTensorForwardAndBackwardEqualTheScalarLoop) {
  at::manual_seed(1);
  for (const Layout& layout : Layouts()) {
    for (int bits = 2; bits <= 8; ++bits) {
      const at::Tensor x = RandomTensor(layout).set_requires_grad(true);
      const at::Tensor dy = RandomTensor(layout);
      const float s = 1.7f;
      const at::Tensor y = FakeQuantize(x, at::scalar_tensor(s), {}, {.bits = bits});
      y.backward(dy);
      ASSERT_EQ(y.strides(), x.strides());
      const auto xs = Values(x), ys = Values(y), dys = Values(dy), dxs = Values(x.grad());
      for (size_t i = 0; i < xs.size(); ++i) {
        ASSERT_EQ(ys[i], ScalarFakeQuantize(xs[i], s, bits)) << layout.name << " " << bits;
        ASSERT_EQ(dxs[i], std::fabs(xs[i]) <= s ? dys[i] : 0.0f) << layout.name << " " << bits;
      }
    }
  }
}

TEST(FakeQuantizeTest, PerChannelEqualsTheScalarLoopOnEveryAxis) {
  at::manual_seed(2);
  for (const Layout& layout : Layouts()) {
    for (int64_t axis = 0; axis < static_cast<int64_t>(layout.shape.size()); ++axis) {
      const at::Tensor x = RandomTensor(layout).set_requires_grad(true);
      const at::Tensor dy = RandomTensor(layout);
      const at::Tensor s = at::rand({x.size(axis)}) * 3;
      FakeQuantize(x, s, {}, {.bits = 4, .axis = axis}).backward(dy);
      const at::Tensor y = FakeQuantize(x.detach(), s, {}, {.bits = 4, .axis = axis});
      for (int64_t channel = 0; channel < x.size(axis); ++channel) {
        const float bound = s[channel].item<float>();
        const auto xs = Values(x.select(axis, channel)), ys = Values(y.select(axis, channel));
        const auto dys = Values(dy.select(axis, channel));
        const auto dxs = Values(x.grad().select(axis, channel));
        for (size_t i = 0; i < xs.size(); ++i) {
          ASSERT_EQ(ys[i], ScalarFakeQuantize(xs[i], bound, 4)) << layout.name << " " << axis;
          ASSERT_EQ(dxs[i], std::fabs(xs[i]) <= bound ? dys[i] : 0.0f) << layout.name;
        }
      }
    }
  }
}

TEST(FakeQuantizeTest, GappyTensorsTakeTheGenericPathWithTheSameResult) {
  at::manual_seed(3);
  const at::Tensor base = at::randn({8, 6, 10});
  const at::Tensor gappy = base.slice(2, 0, 10, 2).detach().set_requires_grad(true);
  const at::Tensor dense = gappy.detach().contiguous().set_requires_grad(true);
  ASSERT_FALSE(gappy.is_non_overlapping_and_dense());
  const at::Tensor s = at::rand({6}) * 2, dy = at::randn({8, 6, 5});
  for (const bool pact : {false, true}) {
    const at::Tensor alpha_a = pact ? s.clone().set_requires_grad(true) : at::Tensor();
    const at::Tensor alpha_b = pact ? s.clone().set_requires_grad(true) : at::Tensor();
    gappy.mutable_grad().reset();
    dense.mutable_grad().reset();
    const at::Tensor a = FakeQuantize(gappy, s, alpha_a, {.bits = 3, .axis = 1});
    const at::Tensor b = FakeQuantize(dense, s, alpha_b, {.bits = 3, .axis = 1});
    a.backward(dy);
    b.backward(dy);
    EXPECT_TRUE(at::equal(a, b));
    EXPECT_TRUE(at::equal(gappy.grad(), dense.grad()));
    if (pact) {
      EXPECT_TRUE(at::allclose(alpha_a.grad(), alpha_b.grad(), 1e-5, 1e-5));
    }
  }
}

TEST(FakeQuantizeTest, HalvesGoToTheEvenNeighbour) {
  // bits 4: q = 7; s = 7 makes the step 1.
  const at::Tensor x = at::tensor({0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 6.5f, 7.0f, 9.0f, -9.0f});
  const at::Tensor y = FakeQuantize(x, at::scalar_tensor(7.0f), {}, {.bits = 4});
  EXPECT_TRUE(at::equal(y, at::tensor({0.f, 2.f, 2.f, 0.f, -2.f, 6.f, 7.f, 7.f, -7.f})));
}

TEST(FakeQuantizeTest, PactGradientEqualsTheScalarLoop) {
  at::manual_seed(4);
  for (const int64_t axis : {int64_t{-1}, int64_t{0}}) {
    const at::Tensor x = (at::randn({4, 30011}) * 2).set_requires_grad(true);
    const at::Tensor dy = at::randn({4, 30011});
    at::Tensor alpha = axis < 0 ? at::scalar_tensor(1.25f) : at::tensor({0.5f, 1.0f, 1.5f, 9.0f});
    alpha.set_requires_grad(true);
    const at::Tensor s = PactThreshold(alpha.detach(), at::full_like(alpha.detach(), 3.0f));
    FakeQuantize(x, s, alpha, {.bits = 4, .axis = axis}).backward(dy);
    for (int64_t row = 0; row < alpha.numel(); ++row) {
      const float bound = alpha.detach().view(-1)[row].item<float>();
      const auto xs = Values(axis < 0 ? x : x.select(0, row));
      const auto dys = Values(axis < 0 ? dy : dy.select(0, row));
      double expected = 0;
      for (size_t i = 0; i < xs.size(); ++i) {
        if (xs[i] > bound) expected += dys[i];
        if (xs[i] < -bound) expected -= dys[i];
      }
      EXPECT_NEAR(alpha.grad().view(-1)[row].item<double>(), expected,
                  1e-4 * std::fabs(expected) + 1e-3);
    }
  }
}

TEST(FakeQuantizeTest, PactThresholdIsTheSmallerOneAndNeverNegative) {
  const at::Tensor s = PactThreshold(at::tensor({2.0f, 0.5f, -1.0f}), at::full({3}, 1.0f));
  EXPECT_TRUE(at::equal(s, at::tensor({1.0f, 0.5f, 0.0f})));
}

TEST(FakeQuantizeTest, ZeroThresholdGivesZerosAndNoNan) {
  const at::Tensor x = at::randn({2, 40});
  const at::Tensor y = FakeQuantize(x, at::tensor({0.0f, 1e-38f}), {}, {.bits = 8, .axis = 0});
  EXPECT_TRUE(at::equal(y, at::zeros_like(y)));
  EXPECT_GT(StepSize(0.0f, 8), 0.0f);
}

TEST(FakeQuantizeTest, NanIsNeverHidden) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const int64_t place : {0, 17, 99}) {
    at::Tensor x = at::randn({100});
    x[place] = nan;
    EXPECT_TRUE(std::isnan(AbsMaxOf(x, -1).item<float>()));
    EXPECT_TRUE(std::isnan(AbsMaxOf(x.view({10, 10}), 0)[place / 10].item<float>()));
    const at::Tensor y = FakeQuantize(x, at::scalar_tensor(1.0f), {}, {});
    EXPECT_TRUE(std::isnan(y[place].item<float>()));
    EXPECT_EQ(y.isnan().sum().item<int64_t>(), 1);
  }
  EXPECT_TRUE(
      FakeQuantize(at::randn({50}), at::scalar_tensor(nan), {}, {}).isnan().all().item<bool>());
  EXPECT_TRUE(
      std::isnan(PactThreshold(at::scalar_tensor(nan), at::scalar_tensor(1.0f)).item<float>()));
}

TEST(AbsMaxTest, EqualsTheLoopInEveryLayout) {
  at::manual_seed(5);
  for (const Layout& layout : Layouts()) {
    const at::Tensor x = RandomTensor(layout);
    EXPECT_EQ(AbsMaxOf(x, -1).item<float>(), AbsMaxByLoop(Values(x))) << layout.name;
    for (int64_t axis = 0; axis < x.dim(); ++axis) {
      const at::Tensor largest = AbsMaxOf(x, axis);
      ASSERT_EQ(largest.sizes(), at::IntArrayRef({x.size(axis)}));
      for (int64_t i = 0; i < x.size(axis); ++i) {
        EXPECT_EQ(largest[i].item<float>(), AbsMaxByLoop(Values(x.select(axis, i))));
      }
    }
  }
  EXPECT_EQ(AbsMaxOf(at::empty({0, 3}), -1).item<float>(), 0.0f);
  EXPECT_EQ(AbsMaxOf(at::randn({6, 8}).slice(1, 0, 8, 2), 0).numel(), 6);
}

TEST(QparamsTest, IntegersAreWhatFakeQuantizeRoundsTo) {
  at::manual_seed(6);
  const at::Tensor x = at::randn({6, 50});
  const at::Tensor s = AbsMaxOf(x, 0) * 0.8;
  for (int bits = 2; bits <= 8; ++bits) {
    const at::Tensor integers = QuantizeToIntegers(x, QParamsOfThresholds(s, bits), 0);
    const at::Tensor steps = BroadcastAlong(StepSizes(s, bits), x, 0);
    EXPECT_TRUE(at::equal(integers.to(at::kFloat) * steps,
                          FakeQuantize(x, s, {}, {.bits = bits, .axis = 0})));
    EXPECT_LE(integers.abs().max().item<int>(), QuantMax(bits));
  }
}

}  // namespace
}  // namespace quantry::engine
