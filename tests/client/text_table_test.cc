#include "client/cli/text_table.h"

#include <gtest/gtest.h>

namespace quantry::client {
namespace {

TEST(TextTableTest, AlignsColumns) {
  TextTable table({{"Name"}, {"Size", TextTable::Align::kRight}, {"Note"}});
  table.AddRow({"a", "1 B", "first"});
  table.AddRow({"longer", "1.0 KiB", ""});
  EXPECT_EQ(table.Render(),
            "Name       Size  Note\n"
            "a           1 B  first\n"
            "longer  1.0 KiB\n");
}

TEST(TextTableTest, NoHeadWithoutHeaders) {
  TextTable table({{""}, {""}});
  EXPECT_TRUE(table.empty());
  table.AddRow({"Model", "x"});
  EXPECT_EQ(table.Render(), "Model  x\n");
}

TEST(TextTableTest, CharactersCountNotBytes) {
  TextTable table({{"N"}, {"V"}});
  table.AddRow({"ü", "1"});
  table.AddRow({"uu", "2"});
  EXPECT_EQ(table.Render(), "N   V\nü   1\nuu  2\n");
}

TEST(TextTableTest, CellsAreOneLine) {
  TextTable table({{""}});
  table.AddRow({"a\nb"});
  EXPECT_EQ(table.Render(), "a b\n");
}

TEST(TextTableTest, CutToWidth) {
  EXPECT_EQ(CutToWidth("abcdef", 6), "abcdef");
  EXPECT_EQ(CutToWidth("abcdef", 5), "ab...");
  EXPECT_EQ(CutToWidth("äbcdef", 5), "äb...");
  EXPECT_EQ(CutToWidth("abcdef", 2), "ab");
  EXPECT_EQ(DisplayWidth("äö█"), 3u);
}

}  // namespace
}  // namespace quantry::client
