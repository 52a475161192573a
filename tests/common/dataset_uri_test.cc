#include "common/dataset_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantry {
namespace {

using testing::HasSubstr;

TEST(DatasetUriTest, SplitsAndDecodes) {
  const auto uri = DatasetUri::Parse("file:///a%20b/c%3fd?holdout=0.25&class_list=a%26b");
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(uri->scheme().name, "file");
  EXPECT_EQ(uri->path(), "/a b/c?d");
  EXPECT_EQ(uri->Number("holdout"), 0.25);
  EXPECT_EQ(uri->Text("class_list"), "a&b");
  EXPECT_EQ(uri->Text("split"), "auto") << "the fallback is the first choice";
  EXPECT_TRUE(uri->Has("holdout"));
  EXPECT_FALSE(uri->Has("split"));
}

TEST(DatasetUriTest, AbsentParametersHaveTheSchemesFallback) {
  const auto uri = DatasetUri::Parse("synthetic://glyphs?size=64&seed=9223372036854775807");
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(uri->Integer("size"), 64);
  EXPECT_EQ(uri->Integer("classes"), 36);
  EXPECT_EQ(uri->Integer("seed"), 9223372036854775807);
  EXPECT_EQ(uri->Number("difficulty"), 1.0);
}

struct BadUri {
  const char* uri;
  const char* message;  // part of it
};

class BadUriTest : public testing::TestWithParam<BadUri> {};

TEST_P(BadUriTest, IsRefusedWithAHint) {
  const absl::Status status = DatasetUri::Parse(GetParam().uri).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadUriTest,
    testing::Values(
        BadUri{"", "has no scheme"}, BadUri{"/data/pictures", "write file:///"},
        BadUri{"://x", "has no scheme"},
        BadUri{"s3://bucket/x", "unknown scheme 's3'; allowed: file, synthetic"},
        BadUri{"fil:///x", "did you mean 'file'"}, BadUri{"file://host/x", "absolute path"},
        BadUri{"file://", "absolute path"}, BadUri{"file:///tmp%zz", "two hex digits"},
        BadUri{"file:///tmp%0", "two hex digits"}, BadUri{"file:///tmp%00", "%00"},
        BadUri{"file:///tmp?holdout", "key=value"}, BadUri{"file:///tmp?holdout=2", "'2'"},
        BadUri{"file:///tmp?holdout=nan", "a number from"},
        BadUri{"file:///tmp?holdouts=0.1", "did you mean 'holdout'"},
        BadUri{"file:///tmp?split=test", "allowed: auto, all"},
        BadUri{"file:///tmp?holdout=0.1&split=all", "has no effect"},
        BadUri{"synthetic://letters", "allowed: synthetic://glyphs"},
        BadUri{"synthetic://glyphs?clases=3", "did you mean 'classes'"},
        BadUri{"synthetic://glyphs?classes=1", "from 2 to 62"},
        BadUri{"synthetic://glyphs?classes=63", "from 2 to 62"},
        BadUri{"synthetic://glyphs?classes=ten", "'ten'"},
        BadUri{"synthetic://glyphs?classes=3&classes=4", "given twice"},
        BadUri{"synthetic://glyphs?size=15", "from 16 to 256"},
        BadUri{"synthetic://glyphs?size=257", "from 16 to 256"},
        BadUri{"synthetic://glyphs?train=0", "from 1"},
        BadUri{"synthetic://glyphs?val=-1", "from 1"},
        BadUri{"synthetic://glyphs?val=99999999999999999999", "a whole number"},
        BadUri{"synthetic://glyphs?seed=-1", "from 0"},
        BadUri{"synthetic://glyphs?difficulty=2.1", "from 0 to 2"},
        BadUri{"synthetic://glyphs?color=yes", "from 0 to 1"},
        BadUri{"cifar10://data", "cifar10:///path/to/folder"},
        BadUri{"cifar10:///x?labels=fine", "unknown parameter 'labels'"},
        BadUri{"cifar100:///x?labels=rough", "allowed: fine, coarse"},
        BadUri{"mnist:///x?limit=0", "from 1"}, BadUri{"csv:///x?header=yes", "from 0 to 1"},
        BadUri{"csv:///x?root=", "not empty"},
        BadUri{"wds:///x?holdout=0.5&split=all", "has no effect"}));

TEST(DatasetSchemesTest, EverySchemesFormIsOneThatParses) {
  for (const DatasetScheme& scheme : DatasetSchemes()) {
    const absl::string_view form = scheme.form.substr(0, scheme.form.find('?'));
    EXPECT_TRUE(DatasetUri::Parse(form).ok()) << DatasetUri::Parse(form).status();
    EXPECT_EQ(FindDatasetScheme(scheme.name), &scheme) << "each name is there once";
  }
}

}  // namespace
}  // namespace quantry
