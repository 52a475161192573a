#include "common/nearest_name.h"

#include <gtest/gtest.h>

namespace quantry {
namespace {

constexpr absl::string_view kKnown[] = {"weight_bits", "activation_bits", "dtype"};

TEST(NearestNameTest, DistanceCountsEdits) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("abc", "abc"), 0u);
}

TEST(NearestNameTest, FindsTheTypo) {
  EXPECT_EQ(NearestName("wieght_bits", kKnown), "weight_bits");
  EXPECT_EQ(NearestName("activation_bit", kKnown), "activation_bits");
  EXPECT_EQ(DidYouMean("dtypes", kKnown), "; did you mean 'dtype'?");
}

TEST(NearestNameTest, NothingNear) {
  EXPECT_EQ(NearestName("zzzzzzzz", kKnown), "");
  EXPECT_EQ(NearestName(std::string(1000, 'a'), kKnown), "");
  EXPECT_EQ(NearestName("dtype", {}), "");
  EXPECT_EQ(DidYouMean("zzzzzzzz", kKnown), "");
}

}  // namespace
}  // namespace quantry
