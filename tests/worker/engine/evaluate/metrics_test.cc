#include "worker/engine/evaluate/metrics.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace quantry::engine {
namespace {

TEST(ClassificationMetricsTest, EmptyIsZero) {
  const ClassificationMetrics metrics;
  EXPECT_EQ(metrics.examples(), 0);
  EXPECT_EQ(metrics.loss(), 0.0);
  EXPECT_EQ(metrics.top1(), 0.0);
}

TEST(ClassificationMetricsTest, AddsUpOverBatchesOfAnySize) {
  // Label 0 always; the scores put it first, third and last of seven.
  const at::Tensor first = at::tensor({9., 1., 2., 3., 4., 5., 6.}).to(at::kFloat).unsqueeze(0);
  const at::Tensor third = at::tensor({4.5, 1., 2., 3., 4., 5., 6.}).to(at::kFloat).unsqueeze(0);
  const at::Tensor last = at::tensor({0., 1., 2., 3., 4., 5., 6.}).to(at::kFloat).unsqueeze(0);
  ClassificationMetrics metrics;
  metrics.Add(at::cat({first, third}), at::zeros({2}, at::kLong));
  metrics.Add(last, at::zeros({1}, at::kLong));
  EXPECT_EQ(metrics.examples(), 3);
  EXPECT_DOUBLE_EQ(metrics.top1(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.top5(), 2.0 / 3);
}

TEST(ClassificationMetricsTest, LossIsMeanCrossEntropy) {
  ClassificationMetrics metrics;
  metrics.Add(at::zeros({3, 4}), at::tensor({0, 1, 2}, at::kLong));
  EXPECT_NEAR(metrics.loss(), std::log(4.0), 1e-6);
}

TEST(ClassificationMetricsTest, FewClassesAreAllInTheTopFive) {
  ClassificationMetrics metrics;
  metrics.Add(at::tensor({1.f, 2.f}).view({1, 2}), at::zeros({1}, at::kLong));
  EXPECT_EQ(metrics.top1(), 0.0);
  EXPECT_EQ(metrics.top5(), 1.0);
}

}  // namespace
}  // namespace quantry::engine
