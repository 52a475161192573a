#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/data/test_files.h"
#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Pictures of 2 x 3 pixels.
const std::string kImages = IdxFile({2, 2, 3}, "abcdefghijkl");
const std::string kLabels = IdxFile({2}, std::string("\x02\x00", 2));

std::string Open(const ScratchFolder& folder, Split split = Split::kTrain) {
  return MessageOf(OpenDataset("mnist://" + folder.path().string(), {.split = split}));
}

TEST(MnistTest, ReadsPlainAndCompressedFiles) {
  const ScratchFolder folder;
  folder.Write("train-images-idx3-ubyte.gz", Gzip(kImages));
  folder.Write("train-labels.idx1-ubyte", kLabels);
  folder.Write("t10k-images-idx3-ubyte", IdxFile({1, 2, 3}, "123456"));
  folder.Write("t10k-labels-idx1-ubyte.gz", Gzip(IdxFile({1}, "\x01")));
  const std::string uri = "mnist://" + folder.path().string();
  const auto train = OpenDataset(uri, {});
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_THAT((*train)->class_names(), ElementsAre("0", "1", "2"));
  EXPECT_FALSE((*train)->mirrors_well());
  EXPECT_EQ((*train)->native_size(), std::nullopt) << "not square";
  const auto picture = (*train)->Get(1);
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->width, 3);
  EXPECT_EQ(picture->height, 2);
  EXPECT_EQ(picture->label, 0);
  EXPECT_EQ(std::string(picture->rgb.begin(), picture->rgb.end()), "ggghhhiiijjjkkklll");
  const auto val = OpenDataset(uri, {.split = Split::kVal});
  ASSERT_TRUE(val.ok()) << val.status();
  EXPECT_EQ((*val)->class_names(), (*train)->class_names()) << "the classes of train";
  EXPECT_EQ((*val)->Name(0), "t10k 0");
}

TEST(MnistTest, BadFilesAreNamedWithTheOffset) {
  const ScratchFolder folder;
  EXPECT_THAT(Open(folder), HasSubstr("has no train-labels-idx1-ubyte"));
  folder.Write("train-labels-idx1-ubyte", kLabels);
  EXPECT_THAT(Open(folder), HasSubstr("has no train-images-idx3-ubyte"));
  const std::pair<std::string, const char*> cases[] = {
      {"", "offset 0: the file ends, 16 bytes are missing"},
      {kImages.substr(0, 20), "offset 20: the file ends, 8 bytes are missing"},
      {kImages + "x", "offset 28: the file is longer"},
      {kLabels + std::string(16, 'x'), "offset 0: this is no IDX file"},
      {IdxFile({0, 2, 3}, ""), "offset 4: dimension 0 is 0"},
      {IdxFile({0xffffffff, 0xffffffff, 1}, ""), "offset 8: dimension 1 is 4294967295"},
      {IdxFile({4000000, 32, 32}, "few"), "offset 19: the file ends"},
      {IdxFile({1, 2, 3}, "abcdef"), "holds 1 pictures of 2 x 3 pixels; allowed: 2"},
      {IdxFile({2, 1, 5000}, std::string(10000, 'x')), "of up to 4096 x 4096"},
      {Gzip(kImages).substr(0, 30), "damaged"},
  };
  for (const auto& [content, message] : cases) {
    folder.Write("train-images-idx3-ubyte", content);
    EXPECT_THAT(Open(folder), HasSubstr(message));
  }
  std::string checksum = Gzip(kImages);
  checksum[checksum.size() - 8] ^= 1;
  folder.Write("train-images-idx3-ubyte", checksum);
  EXPECT_THAT(Open(folder), HasSubstr("damaged"));
}

TEST(MnistTest, EvaluationLabelsMustBeAmongThoseOfTraining) {
  const ScratchFolder folder;
  folder.Write("train-labels-idx1-ubyte", kLabels);
  folder.Write("t10k-labels-idx1-ubyte", IdxFile({1}, "\x03"));
  EXPECT_THAT(Open(folder, Split::kVal), HasSubstr("evaluation label 0 is 3"));
}

}  // namespace
}  // namespace quantry::engine
