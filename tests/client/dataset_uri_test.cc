#include "client/dataset_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/client/cli_process.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(DatasetUriTest, UrisStay) {
  for (const char* uri :
       {"synthetic://glyphs?classes=10", "file:///data/x", "file:///data/x?a=b", "s3://bucket/x",
        "cifar10:///data/cifar-10", "wds:///data/a-{0..9}.tar?split=all"}) {
    EXPECT_EQ(NormalizeDatasetUri(uri).value(), uri);
  }
}

TEST(DatasetUriTest, AbsolutePathsNeedNotExistHere) {
  EXPECT_EQ(NormalizeDatasetUri("/nonexistent/data/../pictures").value(),
            "file:///nonexistent/pictures");
}

TEST(DatasetUriTest, PathsAreEncodedAsUris) {
  EXPECT_EQ(NormalizeDatasetUri("/data/100% cats?#1").value(), "file:///data/100%25 cats%3f%231");
}

TEST(DatasetUriTest, RelativeFoldersBecomeAbsolute) {
  TestFolder folder;
  fs::create_directories(folder.path() / "pictures");
  fs::create_directories(folder.path() / "what?");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const std::string expected = "file://" + (fs::current_path() / "pictures").string();
  EXPECT_EQ(NormalizeDatasetUri("pictures").value(), expected);
  EXPECT_EQ(NormalizeDatasetUri("./pictures/").value(), expected);
  EXPECT_EQ(NormalizeDatasetUri("file://pictures").value(), expected);
  EXPECT_EQ(NormalizeDatasetUri("file://pictures?holdout=0.2").value(), expected + "?holdout=0.2");
  const std::string what = "file://" + (fs::current_path() / "what%3f").string();
  EXPECT_EQ(NormalizeDatasetUri("what?").value(), what);
  EXPECT_EQ(NormalizeDatasetUri("file://what%3F?a=b").value(), what + "?a=b");
  const absl::Status missing = NormalizeDatasetUri("nothing").status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_THAT(std::string(missing.message()), HasSubstr("dataset 'nothing': there is no folder"));
  fs::current_path(before);
}

TEST(DatasetUriTest, PathsOfEverySchemeBecomeAbsolute) {
  TestFolder folder;
  fs::create_directories(folder.path() / "pictures");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const std::string here = fs::current_path().string();
  EXPECT_EQ(NormalizeDatasetUri("mnist://pictures?limit=3").value(),
            "mnist://" + here + "/pictures?limit=3");
  EXPECT_EQ(NormalizeDatasetUri("wds://pictures/a-{0..9}.tar").value(),
            "wds://" + here + "/pictures/a-{0..9}.tar");
  EXPECT_TRUE(absl::IsNotFound(NormalizeDatasetUri("csv://none.csv").status()));
  fs::current_path(before);
}

TEST(DatasetUriTest, EmptyIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(NormalizeDatasetUri("").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(NormalizeDatasetUri("file://").status()));
}

}  // namespace
}  // namespace quantry::client
