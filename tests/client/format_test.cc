#include "client/cli/format.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace quantry::client {
namespace {

TEST(FormatTest, Bytes) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(14'050'000), "13.4 MiB");
  EXPECT_EQ(FormatBytes(int64_t{5} << 50), "5120.0 TiB");
}

TEST(FormatTest, Counts) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(3'504'872), "3,504,872");
  EXPECT_EQ(FormatCount(-123'456), "-123,456");
  EXPECT_EQ(FormatCount(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(FormatTest, Elapsed) {
  EXPECT_EQ(FormatElapsed(absl::Milliseconds(440)), "0.4s");
  EXPECT_EQ(FormatElapsed(absl::Milliseconds(9940)), "9.9s");
  EXPECT_EQ(FormatElapsed(absl::Milliseconds(9960)), "10s");
  EXPECT_EQ(FormatElapsed(absl::Milliseconds(59'600)), "1m00s");
  EXPECT_EQ(FormatElapsed(absl::Seconds(192)), "3m12s");
  EXPECT_EQ(FormatElapsed(absl::Minutes(125)), "2h05m");
  EXPECT_EQ(FormatElapsed(absl::Hours(76)), "3d04h");
  EXPECT_EQ(FormatElapsed(-absl::Seconds(1)), "-");
  EXPECT_EQ(FormatElapsed(absl::InfiniteDuration()), "-");
}

TEST(FormatTest, SharesAndNumbers) {
  EXPECT_EQ(FormatShare(0.8125), "81.25%");
  EXPECT_EQ(FormatShare(1), "100.00%");
  EXPECT_EQ(FormatShare(std::nullopt), "-");
  EXPECT_EQ(FormatNumber(0.53214), "0.5321");
  EXPECT_EQ(FormatNumber(8.1e-5), "8.1e-05");
  EXPECT_EQ(FormatNumber(std::nullopt), "-");
}

TEST(FormatTest, SanitizeLineDisarmsEscapes) {
  EXPECT_EQ(SanitizeLine("  two\nlines\ttab  "), "two lines tab");
  EXPECT_EQ(SanitizeLine("a\x1b[31mred"), "a [31mred");
  EXPECT_EQ(SanitizeLine("a\xC2\x9B"
                         "31mred"),
            "a  31mred");
  EXPECT_EQ(SanitizeLine("grün \xC2\xB5"), "grün \xC2\xB5");
}

}  // namespace
}  // namespace quantry::client
