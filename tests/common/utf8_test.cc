#include "common/utf8.h"

#include <gtest/gtest.h>

namespace quantry {
namespace {

TEST(Utf8Test, KeepsWhatIsValidAndReplacesEachOtherByte) {
  EXPECT_EQ(ToValidUtf8("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(ToValidUtf8("\xff|\xc3|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82"),
            "?|?|??|???|????|??");
  EXPECT_EQ(ToValidUtf8(absl::string_view("a\0b", 3)), "a?b");
}

TEST(ToPlainTextTest, HasNoControlCharactersAndAnEnd) {
  EXPECT_EQ(ToPlainText("a\tb\nc"), "a\tb\nc");
  EXPECT_EQ(ToPlainText(std::string("\0\x01\r\x7f\xff\x1b[1m", 9)),
            "?????"
            "?[1m");
  EXPECT_EQ(ToPlainText("\xc3\xa9"), "\xc3\xa9");
  EXPECT_EQ(ToPlainText(std::string(10, 'x'), 4), "xxxx...");
  EXPECT_EQ(ToPlainText("xxx\xc3\xa9", 4), "xxx?...");  // the cut may fall into a character
}

}  // namespace
}  // namespace quantry
