#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::string UriOf(const fs::path& path, const std::string& parameters = "") {
  return "file://" + path.string() + parameters;
}

std::set<std::string> NamesOf(const Dataset& dataset) {
  std::set<std::string> names;
  for (int64_t i = 0; i < dataset.size(); ++i) names.insert(dataset.Name(i));
  return names;
}

TEST(ImageFolderTest, ReadsSplitFolders) {
  const ScratchFolder scratch;
  scratch.Write("train/dog/1.png", TestPng(5, 4, 1));
  scratch.Write("train/cat/2.PNG", TestPng(5, 4, 2));
  scratch.Write("train/cat/notes.txt", "ignored");
  scratch.Write("train/.cache/x.png", "ignored");
  scratch.Write("val/dog/3.png", TestPng(5, 4, 3));
  const auto train = OpenDataset(UriOf(scratch.path()), {});
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_THAT((*train)->class_names(), ElementsAre("cat", "dog"));
  EXPECT_THAT(NamesOf(**train), ElementsAre("cat/2.PNG", "dog/1.png"));
  EXPECT_EQ((*train)->native_size(), std::nullopt);
  EXPECT_TRUE((*train)->mirrors_well());

  const auto val = OpenDataset(UriOf(scratch.path()), {.split = Split::kVal});
  ASSERT_TRUE(val.ok()) << val.status();
  EXPECT_THAT((*val)->class_names(), ElementsAre("cat", "dog")) << "the classes of train";
  ASSERT_EQ((*val)->size(), 1);
  const auto picture = (*val)->Get(0);
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->label, 1);
  EXPECT_EQ((*val)->Label(0), 1);
  EXPECT_EQ(picture->rgb, TestPicture(5, 4, 3).rgb);
}

TEST(ImageFolderTest, HoldsOutAShareOfEveryClass) {
  const ScratchFolder scratch;
  for (int i = 0; i < 20; ++i) scratch.Write("a/" + std::to_string(i) + ".png", "not opened");
  for (int i = 0; i < 3; ++i) scratch.Write("b/" + std::to_string(i) + ".jpg", "not opened");
  scratch.Write("c/only.jpeg", "not opened");
  const std::string uri = UriOf(scratch.path(), "?holdout=0.25");
  const auto train = OpenDataset(uri, {});
  const auto val = OpenDataset(uri, {.split = Split::kVal});
  ASSERT_TRUE(train.ok()) << train.status();
  ASSERT_TRUE(val.ok()) << val.status();
  EXPECT_EQ((*train)->size(), 15 + 2 + 1);
  EXPECT_EQ((*val)->size(), 5 + 1 + 0);
  EXPECT_EQ((*val)->class_names().size(), 3u);
  std::set<std::string> all = NamesOf(**train);
  all.merge(NamesOf(**val));
  EXPECT_EQ(all.size(), 24u) << "no picture is in both";

  const auto again = OpenDataset(uri, {.split = Split::kVal});
  EXPECT_EQ(NamesOf(**again), NamesOf(**val));
  const auto whole = OpenDataset(UriOf(scratch.path(), "?split=all"), {.split = Split::kVal});
  EXPECT_EQ((*whole)->size(), 24);
}

TEST(ImageFolderTest, LabelsFollowTheGivenClasses) {
  const ScratchFolder scratch;
  scratch.Write("b/1.png", "not opened");
  scratch.Write("c/1.png", "not opened");
  const std::string uri = UriOf(scratch.path(), "?split=all");
  const auto dataset = OpenDataset(uri, {.class_names = {"c", "a", "b"}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->Label(0), 2);
  EXPECT_EQ((*dataset)->Label(1), 0);
  const auto unknown = OpenDataset(uri, {.class_names = {"a", "b"}});
  EXPECT_TRUE(absl::IsInvalidArgument(unknown.status())) << unknown.status();
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("not among the classes"));
}

struct BadFolder {
  const char* name;
  std::vector<const char*> files;
  Split split;
  absl::StatusCode code;
  const char* message;
};

class BadFolderTest : public testing::TestWithParam<BadFolder> {};

TEST_P(BadFolderTest, IsRefusedWithAHint) {
  const ScratchFolder scratch;
  for (const char* file : GetParam().files) scratch.Write(file, "x");
  const auto dataset = OpenDataset(UriOf(scratch.path()), {.split = GetParam().split});
  EXPECT_EQ(dataset.status().code(), GetParam().code) << dataset.status();
  EXPECT_THAT(std::string(dataset.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadFolderTest,
    testing::Values(BadFolder{"Empty",
                              {},
                              Split::kTrain,
                              absl::StatusCode::kInvalidArgument,
                              "has no pictures: put them in one folder per class"},
                    BadFolder{"Flat",
                              {"1.png"},
                              Split::kTrain,
                              absl::StatusCode::kInvalidArgument,
                              "one folder per class"},
                    BadFolder{"EmptyClass",
                              {"a/1.png", "b/readme"},
                              Split::kTrain,
                              absl::StatusCode::kInvalidArgument,
                              "remove the folder"},
                    BadFolder{"OneClass",
                              {"a/1.png"},
                              Split::kTrain,
                              absl::StatusCode::kInvalidArgument,
                              "has one class, 'a'"},
                    BadFolder{"NoVal",
                              {"train/a/1.png", "train/b/1.png"},
                              Split::kVal,
                              absl::StatusCode::kNotFound,
                              "no 'val'"},
                    BadFolder{"OtherValClass",
                              {"train/a/1.png", "train/b/1.png", "val/c/1.png"},
                              Split::kVal,
                              absl::StatusCode::kInvalidArgument,
                              "not among the classes"},
                    BadFolder{"TooFewToHoldOut",
                              {"a/1.png", "b/1.png"},
                              Split::kVal,
                              absl::StatusCode::kInvalidArgument,
                              "too few pictures"}),
    [](const testing::TestParamInfo<BadFolder>& row) { return row.param.name; });

TEST(ImageFolderTest, MissingFolderAndFile) {
  const ScratchFolder scratch;
  EXPECT_TRUE(absl::IsNotFound(OpenDataset(UriOf(scratch.path() / "none"), {}).status()));
  const fs::path file = scratch.Write("file.png", "x");
  const auto dataset = OpenDataset(UriOf(file), {});
  EXPECT_TRUE(absl::IsInvalidArgument(dataset.status())) << dataset.status();
}

TEST(ImageFolderTest, StaysWithinTheAllowedRoots) {
  const ScratchFolder scratch;
  scratch.Write("root/data/a/1.png", "x");
  scratch.Write("root/data/b/1.png", "x");
  scratch.Write("secret/c/1.png", "x");
  const DatasetOptions options{.allowed_roots = {(scratch.path() / "root").string()}};
  const std::string uri = UriOf(scratch.path() / "root/data");
  EXPECT_TRUE(OpenDataset(uri, options).ok());
  for (const char* path : {"secret", "root/../secret", "not_there"}) {
    const auto outside = OpenDataset(UriOf(scratch.path() / path), options);
    EXPECT_TRUE(absl::IsPermissionDenied(outside.status())) << path << ": " << outside.status();
  }
  fs::create_symlink(scratch.path() / "secret/c/1.png", scratch.path() / "root/data/a/2.png");
  EXPECT_TRUE(absl::IsPermissionDenied(OpenDataset(uri, options).status())) << "a linked picture";
  fs::remove(scratch.path() / "root/data/a/2.png");
  fs::create_directory_symlink(scratch.path() / "secret/c", scratch.path() / "root/data/c");
  EXPECT_TRUE(absl::IsPermissionDenied(OpenDataset(uri, options).status())) << "a linked class";
}

}  // namespace
}  // namespace quantry::engine
