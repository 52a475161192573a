#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/data/test_files.h"
#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/csv_lines.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseCsvTest, FollowsRfc4180) {
  const auto lines = ParseCsv(
      "\xef\xbb\xbf"
      "a,b\r\n\n\"x,\"\"y\"\"\n\",\"\"\r\nlast,");
  ASSERT_TRUE(lines.ok()) << lines.status();
  ASSERT_EQ(lines->size(), 3u);
  EXPECT_THAT((*lines)[0].fields, ElementsAre("a", "b"));
  EXPECT_THAT((*lines)[1].fields, ElementsAre("x,\"y\"\n", ""));
  EXPECT_EQ((*lines)[1].number, 3);
  EXPECT_THAT((*lines)[2].fields, ElementsAre("last", ""));
  EXPECT_EQ((*lines)[2].number, 5);
  EXPECT_TRUE(ParseCsv("")->empty());
}

TEST(ParseCsvTest, NamesTheLineOfAMistake) {
  EXPECT_THAT(MessageOf(ParseCsv("a\nb\"c\n")), HasSubstr("line 2: a quote stands inside"));
  EXPECT_THAT(MessageOf(ParseCsv("a\n\"b\nc")), HasSubstr("line 2: a quoted field has no end"));
  EXPECT_THAT(MessageOf(ParseCsv("\"a\"b")), HasSubstr("line 1: text follows"));
}

class CsvTest : public testing::Test {
 protected:
  CsvTest() {
    for (int i = 0; i < 4; ++i) {
      folder_.Write("p/" + std::to_string(i) + ".png", TestPng(4, 4, i));
    }
  }

  absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& list,
                                                const std::string& parameters = "?split=all",
                                                DatasetOptions options = {}) {
    folder_.Write("list.csv", list);
    return OpenDataset("csv://" + (folder_.path() / "list.csv").string() + parameters, options);
  }

  ScratchFolder folder_;
};

TEST_F(CsvTest, ReadsPathsAndLabels) {
  const auto dataset = Open("p/2.png,dog\np/1.png,cat\n");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("cat", "dog"));
  EXPECT_EQ((*dataset)->Label(0), 1);
  EXPECT_EQ((*dataset)->Name(1), "p/1.png");
  EXPECT_EQ((*dataset)->Get(0)->rgb, TestPicture(4, 4, 2).rgb);
  EXPECT_EQ((*dataset)->Get(0)->label, 1);
}

TEST_F(CsvTest, HeaderNamesTheColumns) {
  const auto dataset = Open("id,label,path\n7,10,0.png\n8,9,1.png\n",
                            "?split=all&header=1&root=" + (folder_.path() / "p").string());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("9", "10")) << "numbers sort by value";
  EXPECT_THAT(MessageOf(Open("a,b\n", "?header=1")), HasSubstr("a column 'path'"));
  EXPECT_THAT(MessageOf(Open("path,label,path\n", "?header=1")), HasSubstr("two columns"));
}

TEST_F(CsvTest, HoldsOutAShareOfEveryClass) {
  const std::string list = "p/0.png,a\np/1.png,a\np/2.png,b\np/3.png,b\n";
  const auto train = Open(list, "?holdout=0.5");
  const auto val = Open(list, "?holdout=0.5", {.split = Split::kVal});
  ASSERT_TRUE(train.ok() && val.ok()) << train.status() << val.status();
  EXPECT_EQ((*train)->size(), 2);
  EXPECT_EQ((*val)->size(), 2);
  EXPECT_NE((*train)->Name(0), (*val)->Name(0));
}

TEST_F(CsvTest, MistakesNameTheLine) {
  EXPECT_THAT(MessageOf(Open("p/0.png,a\n\np/9.png,b\n")),
              AllOf(HasSubstr("list.csv: line 3"), HasSubstr("does not exist")));
  EXPECT_THAT(MessageOf(Open("p/0.png\n")), HasSubstr("line 1: has 1 fields; expected: 2"));
  EXPECT_THAT(MessageOf(Open("p/0.png,\n")), HasSubstr("line 1: path or label is empty"));
  EXPECT_THAT(MessageOf(Open("\n")), HasSubstr("lists no pictures"));
  EXPECT_THAT(MessageOf(Open("p/0.png,a\np/1.png,a\n")), HasSubstr("has one class, 'a'"));
}

TEST_F(CsvTest, ARootWithoutEffectIsRefused) {
  const std::string base = (folder_.path() / "p").string();
  const std::string list = base + "/0.png,a\n" + base + "/1.png,b\n";
  EXPECT_TRUE(Open(list).ok());
  EXPECT_THAT(MessageOf(Open(list, "?split=all&root=" + base)), HasSubstr("'root' has no effect"));
  EXPECT_THAT(MessageOf(Open(list, "?root=p")), HasSubstr("absolute path"));
  EXPECT_THAT(MessageOf(Open(list, "?root=" + base + "/0.png")), HasSubstr("is not a folder"));
}

TEST_F(CsvTest, PathsStayWithinTheAllowedRoots) {
  folder_.Write("in/a.png", TestPng(4, 4, 1));
  folder_.Write("in/list.csv", "a.png,a\n../p/0.png,b\n");
  const std::string uri = "csv://" + (folder_.path() / "in/list.csv").string();
  const auto outside = OpenDataset(uri, {.allowed_roots = {(folder_.path() / "in").string()}});
  EXPECT_TRUE(absl::IsPermissionDenied(outside.status())) << outside.status();
  EXPECT_THAT(MessageOf(outside), HasSubstr("line 2"));
}

}  // namespace
}  // namespace quantry::engine
