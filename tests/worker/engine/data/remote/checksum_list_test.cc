#include "worker/engine/data/remote/checksum_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(ChecksumListTest, ReadsWhatSha256sumWrites) {
  const std::string a(64, 'a'), b(64, '0');
  const auto list = ParseChecksumList(a + "  ./x y.tar\r\n\n" + b + " *b.tar");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_THAT(*list, ElementsAre(Pair("b.tar", b), Pair("x y.tar", a)));
  EXPECT_EQ(ParseChecksumList(std::string(64, 'A') + "  x")->at("x"), a);
  EXPECT_TRUE(ParseChecksumList("")->empty());
}

TEST(ChecksumListTest, OtherLinesAreErrors) {
  const std::string good = std::string(64, 'a') + "  x\n";
  for (const std::string& line :
       {std::string("# comment"), std::string(63, 'a') + "  y", std::string(64, 'g') + "  y",
        std::string(64, 'a') + " y", std::string(64, 'a'), std::string(64, 'a') + "  "}) {
    const absl::Status status = ParseChecksumList(good + line).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << line;
    EXPECT_THAT(std::string(status.message()), HasSubstr("line 2: is not of the form")) << line;
  }
  EXPECT_THAT(std::string(ParseChecksumList(good + good).status().message()),
              HasSubstr("line 2: 'x' is there already"));
}

}  // namespace
}  // namespace quantry::engine
