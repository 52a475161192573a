#include "worker/engine/kernels/convolution.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quantry::engine {
namespace {

constexpr double kBf16Rounding = 1.0 / 256;  // half of what bf16 can tell apart

struct Case {
  std::string name;
  ConvolutionShape shape;

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

class ConvolutionTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    at::manual_seed(2);
    convolution_ = Bf16Convolution::Of(shape());
    if (convolution_ == nullptr) GTEST_SKIP() << "oneDNN has no bf16 convolution here";
    x_ = Pictures(at::randint(
        -127, 128, {shape().batch, shape().in_channels, shape().picture[0], shape().picture[1]}));
    weight_ = at::randint(-127, 128,
                          {shape().out_channels, shape().in_channels / shape().groups,
                           shape().kernel[0], shape().kernel[1]})
                  .to(at::kFloat);
    const auto [height, width] = shape().Result();
    dy_ = Pictures(at::randn({shape().batch, shape().out_channels, height, width}));
  }

  static at::Tensor Pictures(const at::Tensor& values) {
    return values.to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
  }

  const ConvolutionShape& shape() const { return GetParam().shape; }

  // What ATen computes in double, differentiable.
  at::Tensor Reference(const at::Tensor& x, const at::Tensor& weight) const {
    const at::Tensor padded = at::constant_pad_nd(
        x, {shape().begin[1], shape().end[1], shape().begin[0], shape().end[0]});
    return at::convolution(padded, weight, {}, {shape().strides[0], shape().strides[1]}, {0, 0},
                           {shape().dilations[0], shape().dilations[1]}, /*transposed=*/false,
                           {0, 0}, shape().groups);
  }

  std::vector<at::Tensor> ReferenceGradients() const {
    const at::Tensor x = x_.to(at::kDouble).requires_grad_(true);
    const at::Tensor weight = weight_.to(at::kDouble).requires_grad_(true);
    Reference(x, weight).backward(dy_.to(at::kDouble));
    return {x.grad(), weight.grad()};
  }

  static double Distance(const at::Tensor& a, const at::Tensor& b) {
    return ((a.to(at::kDouble) - b).abs().max() / b.abs().max()).item<double>();
  }

  std::shared_ptr<const Bf16Convolution> convolution_;
  at::Tensor x_, weight_, dy_;
};

at::Tensor Bytes(size_t count) { return at::empty({static_cast<int64_t>(count)}, at::kByte); }

TEST_P(ConvolutionTest, OfIntegersIsExact) {
  const at::Tensor expected = Reference(x_.to(at::kDouble), weight_.to(at::kDouble));
  at::Tensor y = at::empty(expected.sizes(), at::kFloat, at::MemoryFormat::ChannelsLast);
  const at::Tensor packed = Bytes(convolution_->ForwardWeightBytes());
  convolution_->PackForward(weight_.to(at::kBFloat16).data_ptr(), packed.data_ptr());
  convolution_->Forward(x_.data_ptr(), packed.data_ptr(), y.data_ptr<float>());
  EXPECT_TRUE(at::equal(y.to(at::kDouble), expected));
}

TEST_P(ConvolutionTest, GradientOfTheInput) {
  at::Tensor dx = at::empty_like(x_);
  const at::Tensor packed = Bytes(convolution_->BackwardWeightBytes());
  convolution_->PackBackward(weight_.to(at::kBFloat16).data_ptr(), packed.data_ptr());
  convolution_->BackwardInput(dy_.data_ptr(), packed.data_ptr(), dx.data_ptr());
  EXPECT_LT(Distance(dx, ReferenceGradients()[0]), kBf16Rounding);
}

// Products of bf16 are exact in float32, so only sums round.
TEST_P(ConvolutionTest, GradientOfTheWeights) {
  at::Tensor dweight = at::empty_like(weight_);
  convolution_->BackwardWeights(x_.data_ptr(), dy_.data_ptr(), dweight.data_ptr<float>());
  EXPECT_LT(Distance(dweight, ReferenceGradients()[1]), 1e-5);
}

// Sums stay below 2^24.
INSTANTIATE_TEST_SUITE_P(
    Shapes, ConvolutionTest,
    testing::Values(
        Case{"3x3",
             {.batch = 4,
              .in_channels = 24,
              .out_channels = 40,
              .picture = {9, 7},
              .kernel = {3, 3},
              .begin = {1, 1},
              .end = {1, 1}}},
        Case{"OddBatchAndChannels",
             {.batch = 5,
              .in_channels = 3,
              .out_channels = 7,
              .picture = {11, 11},
              .kernel = {5, 5},
              .strides = {2, 2},
              .begin = {2, 2},
              .end = {2, 2}}},
        Case{"1x1", {.batch = 3, .in_channels = 96, .out_channels = 24, .picture = {6, 6}}},
        Case{"OnePicture", {.batch = 1, .in_channels = 16, .out_channels = 16, .picture = {5, 5}}},
        Case{"Depthwise",
             {.batch = 4,
              .in_channels = 32,
              .out_channels = 32,
              .groups = 32,
              .picture = {8, 8},
              .kernel = {3, 3},
              .strides = {2, 2},
              .begin = {1, 1},
              .end = {1, 1}}},
        Case{"Depthwise5x5",
             {.batch = 5,
              .in_channels = 19,
              .out_channels = 19,
              .groups = 19,
              .picture = {7, 6},
              .kernel = {5, 5},
              .begin = {2, 2},
              .end = {2, 2}}},
        Case{"DepthwiseSmall",
             {.batch = 1,
              .in_channels = 40,
              .out_channels = 40,
              .groups = 40,
              .picture = {2, 3},
              .kernel = {3, 5},
              .strides = {1, 3},
              .dilations = {1, 2},
              .begin = {1, 5},
              .end = {1, 4}}},
        Case{"Grouped",
             {.batch = 2,
              .in_channels = 32,
              .out_channels = 48,
              .groups = 4,
              .picture = {8, 8},
              .kernel = {3, 3},
              .begin = {1, 1},
              .end = {1, 1}}},
        Case{"Dilated",
             {.batch = 2,
              .in_channels = 16,
              .out_channels = 16,
              .picture = {9, 9},
              .kernel = {3, 3},
              .dilations = {2, 2},
              .begin = {2, 2},
              .end = {2, 2}}},
        Case{"PaddedAtOneEnd",
             {.batch = 2,
              .in_channels = 8,
              .out_channels = 16,
              .picture = {8, 8},
              .kernel = {3, 3},
              .strides = {2, 2},
              .begin = {0, 0},
              .end = {1, 1}}}),
    [](const auto& test) { return "_" + test.param.name; });

TEST(Convolution, WhatDoesNotFitHasNoResult) {
  const ConvolutionShape shape = {.picture = {2, 5}, .kernel = {3, 3}};
  EXPECT_EQ(shape.Result()[0], 0);
  EXPECT_EQ(shape.Result()[1], 3);
}

}  // namespace
}  // namespace quantry::engine
