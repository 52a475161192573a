#include "worker/engine/fuse/chain_statistics.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace quantry::engine {
namespace {

class StatisticsTest : public testing::TestWithParam<std::tuple<int64_t, int64_t>> {};

TEST_P(StatisticsTest, EqualThoseInDouble) {
  const auto [rows, channels] = GetParam();
  at::manual_seed(3);
  // Means of up to a hundred deviations: what float32 sums of squares would lose.
  const at::Tensor x = at::randn({rows, channels}) + at::linspace(-100, 100, channels);
  const ChannelStatistics found =
      StatisticsOf(x.data_ptr<float>(), {.rows = rows, .channels = channels});
  const at::Tensor doubles = x.to(at::kDouble);
  const at::Tensor mean = doubles.mean(0);
  const at::Tensor variance = doubles.var(0, /*unbiased=*/false);
  for (int64_t c = 0; c < channels; ++c) {
    const auto i = static_cast<size_t>(c);
    EXPECT_NEAR(found.mean[i], mean[c].item<double>(), 1e-6) << c;
    EXPECT_NEAR(found.variance[i], variance[c].item<double>(), 2e-6) << c;
    EXPECT_EQ(found.least[i], x.select(1, c).min().item<float>());
    EXPECT_EQ(found.most[i], x.select(1, c).max().item<float>());
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, StatisticsTest,
                         testing::Combine(testing::Values(2, 65, 4099),
                                          testing::Values(1, 3, 16, 30, 700)));

TEST(StatisticsOf, NotANumberStays) {
  at::Tensor x = at::randn({100, 5});
  x[70][3] = std::nanf("");
  const ChannelStatistics found = StatisticsOf(x.data_ptr<float>(), {.rows = 100, .channels = 5});
  EXPECT_TRUE(std::isnan(found.mean[3]));
  EXPECT_TRUE(std::isnan(found.variance[3]));
  EXPECT_FALSE(std::isnan(found.mean[2]));
}

TEST(RangeOfChain, NotANumberIsSeenWhereverItIs) {
  const std::vector<float> ones = Periodic({1.0f});
  const std::vector<float> zeros = Periodic({0.0f});
  const ElementwiseChain chain = {
      .mean = zeros.data(), .scale = ones.data(), .shift = zeros.data()};
  for (const int64_t place : {0, 1, 17, 40000, 99999}) {
    at::Tensor x = at::randn({100000});
    const float* data = x.data_ptr<float>();
    const RowShape shape = {.rows = 100000};
    EXPECT_EQ(RangeOfChain({data}, {}, shape, chain).most, x.max().item<float>());
    EXPECT_EQ(RangeOfChain({data}, {}, shape, chain).least, x.min().item<float>());
    x[place] = std::nanf("");
    EXPECT_TRUE(std::isnan(RangeOfChain({data}, {}, shape, chain).most)) << place;
  }
}

TEST(ForEachPiece, CoversEveryRowOnce) {
  for (const int64_t channels : {1, 24, 513, 5000}) {
    const RowShape shape = {.rows = 3001, .channels = channels};
    at::Tensor seen = at::zeros({shape.rows}, at::kInt);
    ForEachPiece(shape, [&](int64_t, int64_t first, int64_t rows) {
      ASSERT_EQ(first % RowsPerPeriod(channels), 0);
      for (int64_t row = first; row < first + rows; ++row) ++seen.data_ptr<int>()[row];
    });
    EXPECT_TRUE(seen.eq(1).all().item<bool>()) << channels;
  }
}

}  // namespace
}  // namespace quantry::engine
