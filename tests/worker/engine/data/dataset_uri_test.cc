#include "worker/engine/data/dataset_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

using testing::HasSubstr;

TEST(DatasetUriTest, SplitsAndDecodes) {
  const auto uri = DatasetUri::Parse("file:///a%20b/c%3fd?holdout=0.25&split=a%26b");
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(uri->scheme(), "file");
  EXPECT_EQ(uri->path(), "/a b/c?d");
  EXPECT_EQ(uri->Number("holdout", 0.1, 0, 1).value(), 0.25);
  EXPECT_EQ(uri->Choice("split", {"all", "a&b"}).value(), "a&b");
  EXPECT_EQ(uri->Integer("absent", 17, 0, 20).value(), 17);
  EXPECT_TRUE(uri->Has("split"));
  EXPECT_FALSE(uri->Has("absent"));
}

struct BadUri {
  const char* uri;
  const char* message;  // part of it
};

class BadUriTest : public testing::TestWithParam<BadUri> {};

TEST_P(BadUriTest, IsRefusedWithAHint) {
  const auto dataset = OpenDataset(GetParam().uri, {});
  EXPECT_EQ(dataset.status().code(), absl::StatusCode::kInvalidArgument) << dataset.status();
  EXPECT_THAT(std::string(dataset.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadUriTest,
    testing::Values(BadUri{"", "has no scheme"}, BadUri{"/data/pictures", "write file:///"},
                    BadUri{"://x", "has no scheme"},
                    BadUri{"s3://bucket/x", "unknown scheme 's3'; allowed: file, synthetic"},
                    BadUri{"fil:///x", "did you mean 'file'"},
                    BadUri{"file://host/x", "absolute path"}, BadUri{"file://", "absolute path"},
                    BadUri{"file:///tmp%zz", "two hex digits"},
                    BadUri{"file:///tmp%0", "two hex digits"}, BadUri{"file:///tmp%00", "%00"},
                    BadUri{"file:///tmp?holdout", "key=value"},
                    BadUri{"file:///tmp?holdout=2", "'2'"},
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
                    BadUri{"synthetic://glyphs?color=yes", "from 0 to 1"}));

TEST(DatasetSchemesTest, EverySchemeIsKnownToOpenDataset) {
  for (const std::string& scheme : DatasetSchemes()) {
    const auto dataset = OpenDataset(scheme + "://?none=1", {});
    EXPECT_THAT(std::string(dataset.status().message()), Not(HasSubstr("unknown scheme")));
  }
}

}  // namespace
}  // namespace quantry::engine
