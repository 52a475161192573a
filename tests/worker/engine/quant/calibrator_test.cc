#include "worker/engine/quant/calibrator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "common/quant_config.h"
#include "worker/engine/quant/fake_quantize.h"
#include "worker/engine/quant/qparams.h"

namespace quantry::engine {
namespace {

Histogram HistogramOf(const at::Tensor& x) {
  Histogram histogram;
  histogram.Add(x);
  return histogram;
}

int64_t Total(absl::Span<const int64_t> bins) {
  return std::accumulate(bins.begin(), bins.end(), int64_t{0});
}

// Normal values with a few far outliers.
at::Tensor HeavyTailed(int64_t count, double outlier) {
  at::Tensor x = at::randn({count});
  x.slice(0, 0, 4) = outlier;
  x.slice(0, 4, 8) = -outlier;
  return x;
}

TEST(HistogramTest, CountsEveryElementInItsBin) {
  at::manual_seed(1);
  at::Tensor x = at::randn({70, 1000});
  x.slice(0, 0, 7) = 0;
  const Histogram histogram = HistogramOf(x);
  EXPECT_EQ(histogram.count(), 70000);
  EXPECT_EQ(histogram.zeros(), 7000);
  EXPECT_EQ(histogram.largest_above(), x.max().item<float>());
  EXPECT_EQ(histogram.largest_below(), -x.min().item<float>());
  EXPECT_EQ(Total(histogram.below()), (x < 0).sum().item<int64_t>());
  EXPECT_EQ(Total(histogram.above()), (x > 0).sum().item<int64_t>());
  const double edge = 100 * histogram.width();
  EXPECT_EQ(Total(histogram.above().first(100)),
            ((x > 0).logical_and(x.to(at::kDouble) < edge)).sum().item<int64_t>());
}

TEST(HistogramTest, GrowsAsIfTheRangeHadBeenKnownBefore) {
  at::manual_seed(2);
  const at::Tensor narrow = at::rand({5000}) * 2 - 1;
  at::Tensor wide = at::randn({5000});
  wide /= wide.abs().max();
  wide *= narrow.abs().max() * 8;
  Histogram grown = HistogramOf(narrow);
  grown.Add(wide);
  Histogram known = HistogramOf(wide);
  known.Add(narrow);
  EXPECT_EQ(grown.width(), known.width());
  EXPECT_TRUE(std::equal(grown.below().begin(), grown.below().end(), known.below().begin()));
  EXPECT_TRUE(std::equal(grown.above().begin(), grown.above().end(), known.above().begin()));
}

TEST(HistogramTest, WhatIsNotFiniteIsToldAndWhatIsEmptyIsNothing) {
  Histogram histogram = HistogramOf(at::empty({0, 3}));
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_TRUE(histogram.finite());
  histogram.Add(at::tensor({1.0f, std::numeric_limits<float>::infinity()}));
  EXPECT_FALSE(histogram.finite());
  EXPECT_EQ(histogram.count(), 1);
  EXPECT_FALSE(HistogramOf(at::tensor({std::numeric_limits<float>::quiet_NaN()})).finite());
  // The smallest and the largest magnitudes there are.
  Histogram far = HistogramOf(at::tensor({1e-45f}));
  far.Add(at::tensor({std::numeric_limits<float>::max()}));
  EXPECT_EQ(Total(far.above()), 2);
}

TEST(CalibratorTest, TableAndConfigNameTheSame) {
  ASSERT_EQ(CalibratorTable().size(), SupportedCalibrators().size());
  for (const auto name : SupportedCalibrators()) EXPECT_NE(FindCalibrator(name), nullptr) << name;
  EXPECT_EQ(FindCalibrator("median"), nullptr);
}

TEST(CalibratorTest, AllZerosAndSparseTensorsKeepTheirRange) {
  at::Tensor sparse = at::zeros({10000});
  sparse[17] = 3.0f;
  for (const CalibratorDef& calibrator : CalibratorTable()) {
    if (calibrator.find == nullptr) continue;
    for (const bool symmetric : {true, false}) {
      const CalibrationGoal goal = {.bits = 8, .symmetric = symmetric, .percentile = 99};
      const ClippingRange nothing = calibrator.find(HistogramOf(at::zeros({50})), goal);
      EXPECT_EQ(nothing.below + nothing.above, 0) << calibrator.name;
      // 99 % of the elements are 0: a threshold of 0 would leave nothing.
      EXPECT_GT(calibrator.find(HistogramOf(sparse), goal).above, 2.0) << calibrator.name;
    }
  }
}

TEST(PercentileTest, CutsOffTheShareThatItSays) {
  // 0.001, 0.002, ..., 10: 1 % are the 100 values above 9.9.
  const at::Tensor x = at::arange(1, 10001).to(at::kFloat) / 1000;
  const Histogram histogram = HistogramOf(at::cat({x, at::zeros({0})}));
  const double bin = histogram.width();
  EXPECT_NEAR(FindPercentile(histogram, {.percentile = 99}).above, 9.9, bin);
  EXPECT_NEAR(FindPercentile(histogram, {.percentile = 60}).above, 6.0, bin);
  EXPECT_EQ(FindPercentile(histogram, {.percentile = 100}).above, 10.0);
  const CalibrationGoal one_sided = {.symmetric = false, .percentile = 99};
  EXPECT_NEAR(FindPercentile(histogram, one_sided).above, 9.9, bin);
  EXPECT_EQ(FindPercentile(histogram, one_sided).below, 0.0);
}

TEST(PercentileTest, EqualsTheQuantileOfHeavyTails) {
  at::manual_seed(3);
  const at::Tensor x = HeavyTailed(100000, 40);
  const Histogram histogram = HistogramOf(x);
  for (const double percentile : {90.0, 99.0, 99.9, 99.99}) {
    const double exact = at::quantile(x.abs().to(at::kDouble), percentile / 100).item<double>();
    const ClippingRange range = FindPercentile(histogram, {.percentile = percentile});
    EXPECT_NEAR(range.above, exact, histogram.width() + 1e-3 * exact) << percentile;
    EXPECT_EQ(range.below, range.above);
    // Two-sided: half of what is cut at each end.
    const double half = (100 - percentile) / 200;
    const ClippingRange both =
        FindPercentile(histogram, {.symmetric = false, .percentile = percentile});
    const double low = at::quantile(x.to(at::kDouble), half).item<double>();
    const double high = at::quantile(x.to(at::kDouble), 1 - half).item<double>();
    EXPECT_NEAR(both.below, -low, histogram.width() - 1e-3 * low) << percentile;
    EXPECT_NEAR(both.above, high, histogram.width() + 1e-3 * high) << percentile;
  }
}

QParams GridOf(const ClippingRange& range, const CalibrationGoal& goal) {
  if (goal.symmetric) {
    return QParamsOfThresholds(at::scalar_tensor(range.above, at::kFloat), goal.bits);
  }
  return QParamsOfRange(
      at::tensor({static_cast<float>(range.below), static_cast<float>(range.above)}), goal.bits);
}

double ErrorWith(const at::Tensor& x, const ClippingRange& range, const CalibrationGoal& goal) {
  const at::Tensor y = FakeQuantizeOn(x, GridOf(range, goal), {}, -1);
  return (y - x).to(at::kDouble).square().mean().item<double>();
}

TEST(MeanSquaredErrorTest, IsTheBestOfAllThresholds) {
  at::manual_seed(4);
  const at::Tensor normal = at::randn({20000});
  const at::Tensor laplace = at::empty({20000}).exponential_() * at::randn({20000}).sign();
  for (const at::Tensor& x : {normal, laplace, HeavyTailed(20000, 30), at::rand({20000}) * 2 - 1}) {
    const Histogram histogram = HistogramOf(x);
    const double largest = x.abs().max().item<double>();
    for (const int bits : {2, 4, 8}) {
      const CalibrationGoal goal = {.bits = bits};
      double best = std::numeric_limits<double>::infinity();
      for (int i = 1; i <= 400; ++i) {
        const double s = largest * i / 400;
        best = std::min(best, ErrorWith(x, {s, s}, goal));
      }
      EXPECT_LE(ErrorWith(x, FindMeanSquaredError(histogram, goal), goal), 1.02 * best) << bits;
    }
  }
}

TEST(MeanSquaredErrorTest, FindsARangeOfItsOwnOnBothSides) {
  at::manual_seed(5);
  // Swish-like: little below 0, a tail above.
  at::Tensor x = at::randn({20000}) * 2;
  x = x * at::sigmoid(x);
  x[0] = 60.0f;
  const Histogram histogram = HistogramOf(x);
  const double below = histogram.largest_below(), above = histogram.largest_above();
  for (const int bits : {3, 4, 6}) {
    const CalibrationGoal goal = {.bits = bits, .symmetric = false};
    double best = std::numeric_limits<double>::infinity();
    for (int i = 1; i <= 80; ++i) {
      for (int k = 0; k <= 10; ++k) {
        best = std::min(best, ErrorWith(x, {below * k / 10, above * i / 80}, goal));
      }
    }
    const ClippingRange found = FindMeanSquaredError(histogram, goal);
    EXPECT_LE(ErrorWith(x, found, goal), 1.03 * best) << bits;
    if (bits <= 4) {
      EXPECT_LT(found.above, 40) << bits;
    }
    EXPECT_LE(found.below, below);
  }
}

TEST(MeanSquaredErrorTest, ManyBitsKeepTheWholeRange) {
  at::manual_seed(6);
  const at::Tensor x = at::rand({5000}) * 2 - 1;
  const double largest = x.abs().max().item<double>();
  for (const int bits : {12, 16}) {
    EXPECT_NEAR(FindMeanSquaredError(HistogramOf(x), {.bits = bits}).above, largest,
                0.01 * largest);
  }
}

// The divergence of clipping magnitudes at bin `end`, written plainly.
double PlainDivergence(const std::vector<int64_t>& counts, size_t end, size_t levels) {
  const double total = static_cast<double>(Total(counts));
  const double inside = static_cast<double>(Total(absl::MakeConstSpan(counts).first(end)));
  double divergence = 0;
  for (size_t level = 0; level < levels; ++level) {
    const size_t first = level * end / levels, last = (level + 1) * end / levels;
    double sum = 0, filled = 0;
    for (size_t i = first; i < last; ++i) {
      sum += static_cast<double>(counts[i]);
      if (counts[i] > 0) ++filled;
    }
    for (size_t i = first; i < last; ++i) {
      double p = static_cast<double>(counts[i]);
      if (i == end - 1) p += total - inside;
      if (p == 0) continue;
      const double q = counts[i] > 0 ? sum / filled / inside : 1e-9;
      divergence += p / total * std::log(p / total / q);
    }
  }
  return divergence;
}

TEST(KlTest, IsAboutTheBestOfAllEnds) {
  at::manual_seed(7);
  for (const double outlier : {6.0, 15.0}) {
    const Histogram histogram = HistogramOf(HeavyTailed(200000, outlier));
    const std::vector<int64_t> counts = histogram.Magnitudes();
    for (const int bits : {6, 8}) {
      const auto levels = static_cast<size_t>(QuantMax(bits) + 1);
      double best = std::numeric_limits<double>::infinity();
      for (size_t end = levels; end <= counts.size(); end += 32) {
        best = std::min(best, PlainDivergence(counts, end, levels));
      }
      const double s = FindKlDivergence(histogram, {.bits = bits}).above;
      const auto end = static_cast<size_t>(std::ceil(s / histogram.width()));
      EXPECT_LE(PlainDivergence(counts, std::min(end, counts.size()), levels), 1.1 * best + 1e-4)
          << bits << " " << outlier;
    }
  }
}

TEST(KlTest, ClipsOutliersAndKeepsWhatIsEven) {
  at::manual_seed(8);
  const ClippingRange heavy = FindKlDivergence(HistogramOf(HeavyTailed(200000, 30)), {.bits = 8});
  EXPECT_GT(heavy.above, 2.5);
  EXPECT_LT(heavy.above, 15);
  const at::Tensor even = at::rand({400000});
  EXPECT_GT(FindKlDivergence(HistogramOf(even), {.bits = 8}).above, 0.95);
  const ClippingRange one_sided =
      FindKlDivergence(HistogramOf(even), {.bits = 8, .symmetric = false});
  EXPECT_GT(one_sided.above, 0.95);
  EXPECT_EQ(one_sided.below, 0);
  // More integers than bins: nothing to choose by.
  EXPECT_NEAR(FindKlDivergence(HistogramOf(even), {.bits = 16}).above, 1, 1e-4);
}

}  // namespace
}  // namespace quantry::engine
