// Profile "paddle": what the reference computes, worked by hand from its formulas. With b bits
// q = 2^(b-1) - 1, and y = round(clamp(x, -s, s) * q / s) * s / q, halves away from zero.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/engine/passes/one_quantizer.h"
#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {
namespace {

FakeQuantizeSpec Reference(const std::string& quantizer, int bits, bool is_weight,
                           int64_t axis = -1) {
  FakeQuantizeSpec spec = {
      .quantizer = quantizer, .bits = bits, .axis = axis, .is_weight = is_weight};
  UseReference(spec);
  return spec;
}

void ExpectNear(const at::Tensor& actual, const std::vector<double>& expected) {
  const std::vector<float> values = Flat(actual);
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], expected[i], 1e-6 * (1 + std::fabs(expected[i]))) << "element " << i;
  }
}

TEST(ReferenceParityTest, AbsMaxWeightsRoundTiesAwayFromZeroAndPassEveryGradient) {
  // 4 bits: q = 7. s = 7, so that x * 7 / 7 = x, and y = round(x) * 7 / 7.
  //   0.5 -> 1, 1.5 -> 2, 2.5 -> 3, -0.5 -> -1, -2.5 -> -3 (to even: 0, 2, 2, 0, -2);
  //   3.4999 -> 3; 0.49999997 -> 0 (adding 0.5 and cutting off would give 1).
  const at::Tensor w =
      at::tensor({7.0f, 0.5f, 1.5f, 2.5f, -0.5f, -2.5f, 3.4999f, 0.49999997f, -7.0f});
  const OneQuantizer quantizer(Reference("abs_max", 4, true), w);
  const at::Tensor y = quantizer.Run(RunPhase::kTrain);
  ExpectNear(y, {7, 1, 2, 3, -1, -3, 3, 0, -7});
  const at::Tensor dy = at::arange(1, 10).to(at::kFloat);
  y.backward(dy);
  EXPECT_TRUE(at::equal(quantizer.Tensor("x").grad(), dy));
}

TEST(ReferenceParityTest, MultipliesBeforeItDivides) {
  // 3 bits: q = 3; s = 2.5. x = 1.25: 1.25 * 3 / 2.5 = 3.75 / 2.5 = 1.5, a tie -> 2;
  // 2 * 2.5 / 3 = 5 / 3. x = -0.4: -1.2 / 2.5 = -0.48 -> 0. x = -0.42: -1.26 / 2.5 = -0.504 -> -1;
  // -2.5 / 3.
  const OneQuantizer quantizer(Reference("abs_max", 3, true),
                               at::tensor({2.5f, 1.25f, -0.4f, -0.42f}));
  ExpectNear(quantizer.Run(RunPhase::kEvaluate), {2.5, 5.0 / 3, 0, -2.5 / 3});
}

TEST(ReferenceParityTest, ChannelWiseAbsMaxHasAScalePerChannelAndGuardsZeros) {
  // 3 bits: q = 3. Channel 0: s = 2: 2 * 3 / 2 = 3 -> 2; 1 * 3 / 2 = 1.5 -> 2 -> 4 / 3;
  // -0.5 * 3 / 2 = -0.75 -> -1 -> -2 / 3. Channel 1: s = 0 <= 1e-30: 0 * 3 / 1e-6 = 0 -> 0.
  // Channel 2: s = 1e-31 <= 1e-30: 1e-31 * 3 / (1e-31 + 1e-6) = 3e-25 -> 0.
  const at::Tensor w =
      at::tensor({2.0f, 1.0f, -0.5f, 0.0f, 0.0f, 0.0f, 1e-31f, -1e-31f, 0.0f}).view({3, 3});
  const OneQuantizer quantizer(Reference("channel_wise_abs_max", 3, true, 0), w);
  ExpectNear(quantizer.Run(RunPhase::kEvaluate), {2, 4.0 / 3, -2.0 / 3, 0, 0, 0, 0, 0, 0});
  // A transposed convolution's channels are on axis 1: columns {2, 0}, {1, 0}, {-0.5, 1e-31}.
  const OneQuantizer columns(Reference("channel_wise_abs_max", 3, true, 1),
                             at::tensor({2.0f, 1.0f, -0.5f, 0.7f, 0.2f, 1e-31f}).view({2, 3}));
  // Column 0: s = 2: 0.7 * 3 / 2 = 1.05 -> 1 -> 2 / 3. Column 1: s = 1: 0.6 -> 1 -> 1 / 3.
  // Column 2: s = 0.5: -3 -> -0.5.
  ExpectNear(columns.Run(RunPhase::kEvaluate), {2, 1, -0.5, 2.0 / 3, 1.0 / 3, 0});
}

TEST(ReferenceParityTest, MovingAverageStartsAtOneAndOne) {
  // state = accum = 1, s = 0.001; r = 0.9.
  // max 2: state = 0.9 + 1 = 1.9, accum = 0.9 + 2 = 2.9, s = 2.9 / 1.9.
  // max 5: state = 1.71 + 1 = 2.71, accum = 2.61 + 5 = 7.61, s = 7.61 / 2.71 = 2.80811808.
  const OneQuantizer quantizer(Reference("moving_average_abs_max", 8, false));
  EXPECT_EQ(quantizer.Number("x.scale"), 0.001f);
  EXPECT_EQ(quantizer.Number("x.state"), 1.0f);
  EXPECT_EQ(quantizer.Number("x.accum"), 1.0f);
  quantizer.Run(RunPhase::kCalibrate, at::tensor({2.0f, -1.0f}));
  EXPECT_NEAR(quantizer.Number("x.scale"), 2.9 / 1.9, 1e-6);
  const at::Tensor x = at::tensor({-5.0f, 1.0f, 2.9f}).set_requires_grad(true);
  const at::Tensor y = quantizer.Run(RunPhase::kTrain, x);
  const double s = 7.61 / 2.71;
  EXPECT_NEAR(quantizer.Number("x.scale"), s, 1e-6);
  // -5 and 2.9 are clipped to s: 127 steps. 1 * 127 / s = 45.2260 -> 45 -> 45 * s / 127.
  ExpectNear(y, {-s, 45 * s / 127, s});
  // dX = dY, also for what is clipped.
  y.backward(at::tensor({1.0f, 2.0f, 3.0f}));
  ExpectNear(x.grad(), {1, 2, 3});
  // Evaluating neither looks nor changes s: 2 * 127 / s = 90.4520 -> 90.
  ExpectNear(quantizer.Run(RunPhase::kEvaluate, at::tensor({100.0f, 2.0f})), {s, 90 * s / 127});
  EXPECT_NEAR(quantizer.Number("x.scale"), s, 1e-6);
}

TEST(ReferenceParityTest, MovingAverageOfAWeight) {
  // r = 0.9, max 3: state = 1.9, accum = 3.9, s = 3.9 / 1.9 = 2.05263; 4 bits, q = 7:
  // 3 -> s; 0.44 * 7 / s = 1.50051 -> 2 -> 2 s / 7; -0.43 * 7 / s = -1.4664 -> -1.
  const OneQuantizer quantizer(Reference("moving_average_abs_max", 4, true),
                               at::tensor({3.0f, 0.44f, -0.43f}));
  const double s = 3.9 / 1.9;
  ExpectNear(quantizer.Run(RunPhase::kTrain), {s, 2 * s / 7, -s / 7});
}

TEST(ReferenceParityTest, RangeAbsMaxFollowsTheKernelStepByStep) {
  FakeQuantizeSpec spec = Reference("range_abs_max", 8, false);
  spec.window_size = 2;
  const OneQuantizer quantizer(spec);
  const auto see = [&](float largest) {
    quantizer.Run(RunPhase::kTrain, at::tensor({largest, -largest / 2}));
    return quantizer.Number("x.scale");
  };
  // it 0, slot 0: cur 0.0005 < last 0.001; removed 0, |0 - 0.001| >= 1e-6: last stays.
  EXPECT_EQ(see(0.0005f), 0.001f);
  // it 1, slot 1: last < 9: 9.
  EXPECT_EQ(see(9), 9.0f);
  // it 2, slot 0: removed 0.0005 is not 9: 9 stays.
  EXPECT_EQ(see(2), 9.0f);
  // it 3, slot 1: removed 9 = last: the largest of the min(3, 2) entries {2, 3}.
  EXPECT_EQ(see(3), 3.0f);
}

TEST(ReferenceParityTest, AbsMaxActivationsTakeTheirOwnScaleInEvaluationToo) {
  // 4 bits: q = 7. Training on max 4: s = 4. Evaluating max 2: s = 2:
  // 1 * 7 / 2 = 3.5 -> 4 -> 4 * 2 / 7; 0.9 * 7 / 2 = 3.15 -> 3 -> 6 / 7.
  const OneQuantizer quantizer(Reference("abs_max", 4, false));
  const at::Tensor x = at::tensor({4.0f, -1.0f}).set_requires_grad(true);
  // -1 * 7 / 4 = -1.75 -> -2 -> -8 / 7.
  ExpectNear(quantizer.Run(RunPhase::kTrain, x), {4, -8.0 / 7});
  ExpectNear(quantizer.Run(RunPhase::kEvaluate, at::tensor({2.0f, 1.0f, -0.9f})),
             {2, 8.0 / 7, -6.0 / 7});
  // A file has one number: the largest seen.
  EXPECT_EQ(EvaluationQParams(quantizer.node()).high.item<float>(), 4.0f);
}

TEST(ReferenceParityTest, LearnedStepsReachOneIntegerFartherBelow) {
  // 4 bits: Qn = -8, Qp = 7. step 0.5: v = {-9, -8, 2.5, 7.5}.
  //   y:  -9 -> -8 -> -4; -8 -> -4; 2.5 -> 3 -> 1.5; 7.5 > 7 -> 3.5.
  //   dx: {0, 2, 3, 0} of dy = {1, 2, 3, 4}.
  //   ds: g * (1 * -8 + 2 * (-8 + 8) + 3 * (3 - 2.5) + 4 * 7) = g * 21.5, N = 4: g = 1 / sqrt(28).
  const OneQuantizer quantizer(Reference("lsq_weight", 4, true),
                               at::tensor({-4.5f, -4.0f, 1.25f, 3.75f}));
  quantizer.Run(RunPhase::kCalibrate);
  // Start: 2 * mean|w| / sqrt(7) = 2 * 13.5 / 4 / sqrt(7).
  EXPECT_NEAR(quantizer.Number("x.learned_step"), 6.75 / std::sqrt(7.0), 1e-6);
  quantizer.Tensor("x.learned_step").detach().fill_(0.5);
  const at::Tensor y = quantizer.Run(RunPhase::kTrain);
  ExpectNear(y, {-4, -4, 1.5, 3.5});
  y.backward(at::tensor({1.0f, 2.0f, 3.0f, 4.0f}));
  ExpectNear(quantizer.Tensor("x").grad(), {0, 2, 3, 0});
  ExpectNear(quantizer.Tensor("x.learned_step").grad(), {21.5 / std::sqrt(28.0)});
}

TEST(ReferenceParityTest, LearnedStepsPerChannel) {
  // 3 bits: Qn = -4, Qp = 3; N = 2 per channel: g = 1 / sqrt(6).
  // Channel 0, step 1: v = {-5, 0.5}: y = {-4, 1}; ds = g * (1 * -4 + 2 * (1 - 0.5)) = -3 g.
  // Channel 1, step 2: v = {2.25, 4}: y = {4, 6}; ds = g * (3 * (2 - 2.25) + 4 * 3) = 11.25 g.
  const OneQuantizer quantizer(Reference("channel_wise_lsq_weight", 3, true, 0),
                               at::tensor({-5.0f, 0.5f, 4.5f, 8.0f}).view({2, 2}));
  quantizer.Run(RunPhase::kCalibrate);
  quantizer.Tensor("x.learned_step").detach().copy_(at::tensor({1.0f, 2.0f}));
  const at::Tensor y = quantizer.Run(RunPhase::kTrain);
  ExpectNear(y, {-4, 1, 4, 6});
  y.backward(at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({2, 2}));
  ExpectNear(quantizer.Tensor("x.learned_step").grad(),
             {-3 / std::sqrt(6.0), 11.25 / std::sqrt(6.0)});
  ExpectNear(quantizer.Tensor("x").grad(), {0, 2, 3, 0});
}

TEST(ReferenceParityTest, LearnedStepsOfActivationsCountOneExample) {
  // 2 examples of 2: N = 2; 4 bits: g = 1 / sqrt(14). step 1: v = {0.5, 1.5, -0.5, 20}:
  // y = {1, 2, -1, 7}; ds = g * (0.5 + 0.5 - 0.5 + 7) with dy = 1.
  const OneQuantizer quantizer(Reference("lsq_act", 4, false));
  const at::Tensor x = at::tensor({0.5f, 1.5f, -0.5f, 20.0f}).view({2, 2}).set_requires_grad(true);
  quantizer.Run(RunPhase::kCalibrate, x.detach());
  quantizer.Tensor("x.learned_step").detach().fill_(1);
  const at::Tensor y = quantizer.Run(RunPhase::kTrain, x);
  ExpectNear(y, {1, 2, -1, 7});
  y.sum().backward();
  ExpectNear(quantizer.Tensor("x.learned_step").grad(), {7.5 / std::sqrt(14.0)});
  ExpectNear(x.grad(), {1, 1, 1, 0});
}

TEST(ReferenceParityTest, PactClampsPassesInsideAndLearnsAlpha) {
  // y = x - relu(x - a) + relu(-a - x), a = 2, then s = min(a, max|x|) = 2; 3 bits, q = 3:
  //   3 -> 2; 2 -> 2; -1 * 3 / 2 = -1.5 -> -2 -> -4 / 3; -3 -> -2.
  //   da = 1 - 8 (x > a: dy = 1; x < -a: dy = 8); dx = {0, 2, 4, 0}.
  FakeQuantizeSpec spec = Reference("abs_max", 3, false);
  spec.pact = true;
  const OneQuantizer quantizer(spec, {}, 2.0f);
  const at::Tensor x = at::tensor({3.0f, 2.0f, -1.0f, -3.0f}).set_requires_grad(true);
  const at::Tensor y = quantizer.Run(RunPhase::kTrain, x);
  ExpectNear(y, {2, 2, -4.0 / 3, -2});
  y.backward(at::tensor({1.0f, 2.0f, 4.0f, 8.0f}));
  ExpectNear(x.grad(), {0, 2, 4, 0});
  ExpectNear(quantizer.Tensor("x.alpha").grad(), {-7});
}

TEST(ReferenceParityTest, PactBelowTheObservedScalePassesBetweenScaleAndAlpha) {
  // Moving average, r = 0.9, from 1 and 1: max 4: s = 4.9 / 1.9 = 2.578947; a = 3: x = 2.8 is
  // clipped to s by the quantizer, whose gradient passes, and is inside alpha: dx = dy. x = 4 is
  // outside: dx = 0, da = dy.
  FakeQuantizeSpec spec = Reference("moving_average_abs_max", 8, false);
  spec.pact = true;
  const OneQuantizer quantizer(spec, {}, 3.0f);
  const at::Tensor x = at::tensor({4.0f, 2.8f}).set_requires_grad(true);
  const at::Tensor y = quantizer.Run(RunPhase::kTrain, x);
  ExpectNear(y, {4.9 / 1.9, 4.9 / 1.9});
  y.backward(at::tensor({5.0f, 6.0f}));
  ExpectNear(x.grad(), {0, 6});
  ExpectNear(quantizer.Tensor("x.alpha").grad(), {5});
}

}  // namespace
}  // namespace quantry::engine
