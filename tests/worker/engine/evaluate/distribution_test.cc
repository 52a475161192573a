#include "worker/engine/evaluate/distribution.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace quantry::engine {
namespace {

TEST(DistributionTest, CountsValuesIntoEqualBins) {
  const Distribution distribution =
      DistributionOf(at::tensor({-1.0f, -0.9f, 0.1f, 0.9f, 3.0f}).view({5, 1}), 4);
  EXPECT_EQ(distribution.min, -1);
  EXPECT_EQ(distribution.max, 3);
  EXPECT_EQ(distribution.counts, (std::vector<int64_t>{2, 2, 0, 1}));
}

TEST(DistributionTest, EqualValuesAreOneBin) {
  const Distribution distribution = DistributionOf(at::full({7}, 2.5f), 4);
  EXPECT_EQ(distribution.min, 2.5);
  EXPECT_EQ(distribution.max, 2.5);
  EXPECT_EQ(distribution.counts, std::vector<int64_t>{7});
}

TEST(DistributionTest, WhatIsNotFiniteIsLeftOut) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Distribution distribution =
      DistributionOf(at::tensor({0.0f, NAN, infinity, 1.0f, -infinity}), 2);
  EXPECT_EQ(distribution.max, 1);
  EXPECT_EQ(distribution.counts, (std::vector<int64_t>{1, 1}));
  EXPECT_TRUE(DistributionOf(at::tensor({infinity}), 2).counts.empty());
  EXPECT_TRUE(DistributionOf(at::empty({0}), 2).counts.empty());
}

}  // namespace
}  // namespace quantry::engine
