#include "worker/engine/data/dataset_writer.h"

#include <gtest/gtest.h>

#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

TEST(DatasetWriterTest, WhatIsWrittenIsReadBack) {
  const ScratchFolder scratch;
  const std::string glyphs = "synthetic://glyphs?classes=12&train=60&val=24";
  for (const Split split : {Split::kTrain, Split::kVal}) {
    const auto source = OpenDataset(glyphs, {.split = split});
    ASSERT_TRUE(source.ok()) << source.status();
    const auto dir = scratch.path() / (split == Split::kTrain ? "train" : "val");
    int64_t last_done = 0, last_total = 0;
    const auto written = WriteDataset(**source, dir, {.progress = [&](int64_t done, int64_t total) {
      last_done = done;
      last_total = total;
    }});
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_EQ(*written, (*source)->size());
    EXPECT_EQ(last_done, (*source)->size());
    EXPECT_EQ(last_total, (*source)->size());
  }
  for (const Split split : {Split::kTrain, Split::kVal}) {
    const auto source = OpenDataset(glyphs, {.split = split});
    const auto copy = OpenDataset("file://" + scratch.path().string(), {.split = split});
    ASSERT_TRUE(copy.ok()) << copy.status();
    EXPECT_EQ((*copy)->class_names(), (*source)->class_names());
    ASSERT_EQ((*copy)->size(), (*source)->size());
    for (int64_t i = 0; i < (*copy)->size(); ++i) {
      const std::string name = (*copy)->Name(i);  // CLASS/NNNNNN.png
      const int64_t index = std::stoll(name.substr(name.find('/') + 1, 6));
      const Picture expected = (*source)->Get(index).value();
      const auto picture = (*copy)->Get(i);
      ASSERT_TRUE(picture.ok()) << picture.status();
      EXPECT_EQ(picture->rgb, expected.rgb) << name;
      EXPECT_EQ(picture->label, expected.label) << name;
    }
  }
}

TEST(DatasetWriterTest, LimitAndErrors) {
  const ScratchFolder scratch;
  const auto source = OpenDataset("synthetic://glyphs?classes=2&train=10", {});
  EXPECT_EQ(WriteDataset(**source, scratch.path() / "d", {.limit = 3}).value(), 3);
  EXPECT_TRUE(
      absl::IsInvalidArgument(WriteDataset(**source, scratch.path() / "d", {.limit = 0}).status()));
  const auto file = scratch.Write("file", "in the way");
  EXPECT_FALSE(WriteDataset(**source, file, {}).ok());
}

}  // namespace
}  // namespace quantry::engine
