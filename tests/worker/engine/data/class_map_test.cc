#include "worker/engine/data/class_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class ClassMapTest : public testing::Test {
 protected:
  absl::StatusOr<ClassMap> Read(const std::string& content) {
    const std::string path = folder_.Write("map.txt", content).string();
    return ReadClassMap(path, PathPolicy({}));
  }
  std::string Error(const std::string& content) {
    const absl::Status status = Read(content).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }

  // A folder per class, as ImageNet calls them, with two pictures each.
  absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& parameters,
                                                const DatasetOptions& options = {}) {
    for (const char* name : {"n1", "n2", "n3"}) {
      for (const char* file : {"/1.png", "/2.png"}) {
        folder_.Write(std::string("data/") + name + file, TestPng(4, 4, 0));
      }
    }
    return OpenDataset("file://" + (folder_.path() / "data").string() + "?split=all" + parameters,
                       options);
  }

  ScratchFolder folder_;
};

TEST_F(ClassMapTest, ATableGivesLabelsAndTitles) {
  const auto map = Read("n2,0,cat\nn1,2\n\n\"n,3\",0\nn4 , 1 ,\"dog, wild\"\n");
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT(map->titles, ElementsAre("cat", "dog, wild", "n1"));
  EXPECT_THAT(map->labels,
              ElementsAre(Pair("n,3", 0), Pair("n1", 2), Pair("n2", 0), Pair("n4", 1)));
}

TEST_F(ClassMapTest, AnOrderFileCountsItsLines) {
  const auto map = Read("n02012849 crane\r\nn01440764 tench, Tinca tinca\n\nn03126707\tcrane\nn9\n");
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT(map->titles, ElementsAre("crane", "tench, Tinca tinca", "crane (n03126707)", "n9"));
  EXPECT_THAT(map->labels, ElementsAre(Pair("n01440764", 1), Pair("n02012849", 0),
                                       Pair("n03126707", 2), Pair("n9", 3)));
}

TEST_F(ClassMapTest, ErrorsNameTheLine) {
  EXPECT_THAT(Error(""), HasSubstr("map.txt: is empty"));
  EXPECT_THAT(Error("a,0\nb,1\na,2\n"), HasSubstr("line 3: 'a' is in line 1 already"));
  EXPECT_THAT(Error("a x\nb y\na z\n"), HasSubstr("line 3: 'a' is in line 1 already"));
  EXPECT_THAT(Error("a,0\nb,2\n"), HasSubstr("no name has label 1, and labels go up to 2"));
  EXPECT_THAT(Error("a,0\nb,-1\n"), HasSubstr("line 2: the label of 'b' is '-1'; allowed"));
  EXPECT_THAT(Error("a,0\nb,one\n"), HasSubstr("line 2: the label of 'b' is 'one'"));
  EXPECT_THAT(Error("a,0\nb,1000001\n"), HasSubstr("to 1000000"));
  EXPECT_THAT(Error("a,0\nb\n"), HasSubstr("line 2: has 1 fields"));
  EXPECT_THAT(Error("a,0\n,1\n"), HasSubstr("line 2: the name is empty"));
  EXPECT_THAT(Error("a,0,x\nb,0,y\n"), HasSubstr("line 2: label 0 is called 'y', in line 1 'x'"));
}

TEST_F(ClassMapTest, DatasetsAreLabelledByIt) {
  const std::string map = folder_.Write("order.txt", "n3 three\nn0 none\nn1 one\nn2 two\n").string();
  const auto dataset = Open("&class_map=" + map);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("three", "none", "one", "two"));
  EXPECT_EQ((*dataset)->Name(0), "n1/1.png");
  EXPECT_EQ((*dataset)->Label(0), 2);
  EXPECT_EQ((*dataset)->Label(4), 0);
  EXPECT_EQ((*dataset)->Get(4)->label, 0);
}

TEST_F(ClassMapTest, ClassesCanBeJoined) {
  const std::string map = folder_.Write("joined.csv", "n1,0,odd\nn2,1,even\nn3,0\n").string();
  const auto dataset = Open("&class_map=" + map);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("odd", "even"));
  EXPECT_EQ((*dataset)->Label(0), 0);
  EXPECT_EQ((*dataset)->Label(2), 1);
  EXPECT_EQ((*dataset)->Label(4), 0);
}

TEST_F(ClassMapTest, NamesThatItLacksAreErrors) {
  const std::string map = folder_.Write("short.txt", "n1 one\nn33 three\nn2 two\n").string();
  const absl::Status status = Open("&class_map=" + map).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("class 'n3' of"), HasSubstr("short.txt"),
                             HasSubstr("did you mean 'n33'")));
}

TEST_F(ClassMapTest, TrainingAndEvaluationNeedTheSame) {
  const std::string map = folder_.Write("map.csv", "n1,0\nn2,1\nn3,2\n").string();
  EXPECT_TRUE(Open("&class_map=" + map, {.class_names = {"n1", "n2", "n3"}}).ok());
  EXPECT_THAT(std::string(Open("&class_map=" + map, {.class_names = {"x", "n2", "n3"}})
                              .status()
                              .message()),
              HasSubstr("give both sets the same 'class_map'"));
}

TEST_F(ClassMapTest, OneParameterSaysWhatClassesThereAre) {
  const std::string map = folder_.Write("map.csv", "n1,0\nn2,1\nn3,2\n").string();
  EXPECT_THAT(std::string(Open("&class_map=" + map + "&classes=n1,n2").status().message()),
              HasSubstr("both 'classes' and 'class_map' are given"));
  EXPECT_TRUE(absl::IsPermissionDenied(
      Open("&class_map=" + map, {.allowed_roots = {(folder_.path() / "data").string()}})
          .status()));
}

}  // namespace
}  // namespace quantry::engine
