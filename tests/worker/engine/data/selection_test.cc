#include "worker/engine/data/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/dataset_schemes.h"
#include "tests/worker/engine/data/test_files.h"
#include "tests/worker/engine/data/test_pictures.h"

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SelectionTest : public testing::Test {
 protected:
  SelectionTest() {
    for (const char* name : {"a/1", "a/2", "a/3", "c/1", "c/2", "c/3"}) {
      folder_.Write(std::string("data/") + name + ".png", "not opened");
    }
  }

  absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& parameters,
                                                const DatasetOptions& options = {}) {
    return OpenDataset("file://" + (folder_.path() / "data").string() + "?split=all" + parameters,
                       options);
  }

  ScratchFolder folder_;
};

TEST_F(SelectionTest, LimitTakesTheSamePicturesEveryTime) {
  const auto four = Open("&limit=4");
  const auto three = Open("&limit=3");
  ASSERT_TRUE(four.ok() && three.ok()) << four.status() << three.status();
  ASSERT_EQ((*four)->size(), 4);
  ASSERT_EQ((*three)->size(), 3);
  std::set<std::string> names;
  for (int64_t i = 0; i < 4; ++i) names.insert((*four)->Name(i));
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(names.count((*three)->Name(i)), 1u);
  EXPECT_EQ((*Open("&limit=100"))->size(), 6);
}

TEST_F(SelectionTest, ClassListGivesTheLabels) {
  const std::string list = folder_.Write("classes.txt", "c\r\nb\na\n").string();
  const auto dataset = Open("&class_list=" + list);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("c", "b", "a"));
  EXPECT_EQ((*dataset)->Label(0), 2);
  EXPECT_EQ((*dataset)->Label(5), 0);
  folder_.Write("classes.txt", "c\nd\n");
  EXPECT_THAT(MessageOf(Open("&class_list=" + list)),
              HasSubstr("class 'a' of " + (folder_.path() / "data").string() +
                        " is not among the classes of the class list"));
  folder_.Write("classes.txt", "a\nc\na\n");
  EXPECT_THAT(MessageOf(Open("&class_list=" + list)), HasSubstr("line 3: 'a' is there twice"));
  folder_.Write("classes.txt", "a\n\nc\n");
  EXPECT_THAT(MessageOf(Open("&class_list=" + list)), HasSubstr("line 2: is empty"));
  folder_.Write("classes.txt", "");
  EXPECT_THAT(MessageOf(Open("&class_list=" + list)), HasSubstr("line 1: is empty"));
  EXPECT_TRUE(absl::IsPermissionDenied(
      Open("&class_list=" + list, {.allowed_roots = {(folder_.path() / "data").string()}})
          .status()));
}

TEST_F(SelectionTest, AnEvaluationSetMayLackClassesButNotAddAny) {
  const auto fewer = Open("", {.class_names = {"a", "b", "c"}});
  ASSERT_TRUE(fewer.ok()) << fewer.status();
  EXPECT_EQ((*fewer)->Label(5), 2);
  EXPECT_THAT(MessageOf(Open("", {.class_names = {"a", "b"}})), HasSubstr("class 'c' of"));
  const std::string list = folder_.Write("classes.txt", "a\nc\n").string();
  EXPECT_THAT(MessageOf(Open("&class_list=" + list, {.class_names = {"c", "a"}})),
              HasSubstr("does not hold the classes of the training set"));
}

TEST(ClassesOfTest, NumbersSortByValueNamesBytewise) {
  EXPECT_THAT(ClassesOf({"10", "9", "10", "0"}), ElementsAre("0", "9", "10"));
  EXPECT_THAT(ClassesOf({"10", "9", "x"}), ElementsAre("10", "9", "x"));
  EXPECT_THAT(ClassesOf({"10", "09"}), ElementsAre("09", "10"));
}

TEST(OpenDatasetTest, EverySchemeHasAReader) {
  for (const DatasetScheme& scheme : DatasetSchemes()) {
    const std::string path = scheme.fixed_path.empty() ? "/none" : std::string(scheme.fixed_path);
    const auto dataset = OpenDataset(std::string(scheme.name) + "://" + path, {});
    EXPECT_FALSE(absl::IsUnimplemented(dataset.status())) << dataset.status();
  }
}

}  // namespace
}  // namespace quantry::engine
