#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/data/test_files.h"
#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Uri(const std::string& scheme, const ScratchFolder& folder,
                const std::string& parameters = "") {
  return scheme + "://" + folder.path().string() + parameters;
}

TEST(CifarTest, ReadsTheBatchesOfCifar10InOrder) {
  const ScratchFolder folder;
  folder.Write("data_batch_2.bin", CifarRecord({9}, 50));
  folder.Write("data_batch_1.bin", CifarRecord({3}, 0) + CifarRecord({0}, 7));
  folder.Write("test_batch.bin", CifarRecord({5}, 1));
  const auto train = OpenDataset(Uri("cifar10", folder), {});
  ASSERT_TRUE(train.ok()) << train.status();
  ASSERT_EQ((*train)->size(), 3);
  EXPECT_EQ((*train)->Label(0), 3);
  EXPECT_EQ((*train)->Label(1), 0);
  EXPECT_EQ((*train)->Label(2), 9);
  EXPECT_EQ((*train)->Name(1), "data_batch_1.bin 1");
  EXPECT_EQ((*train)->native_size(), 32);
  EXPECT_EQ((*train)->class_names().size(), 10u);
  const auto picture = (*train)->Get(1);
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->label, 0);
  for (const int pixel : {0, 31, 32, 1023}) {  // planes of 1024 bytes become triples
    for (int c = 0; c < 3; ++c) {
      EXPECT_EQ(picture->rgb[3 * pixel + c], (c * 1024 + pixel + 7) % 256);
    }
  }
  const auto val = OpenDataset(Uri("cifar10", folder), {.split = Split::kVal});
  ASSERT_TRUE(val.ok()) << val.status();
  EXPECT_EQ((*val)->Label(0), 5);
}

TEST(CifarTest, ReadsEitherLabelOfCifar100) {
  const ScratchFolder folder;
  folder.Write("train.bin", CifarRecord({19, 98}, 0));
  folder.Write("test.bin", CifarRecord({1, 2}, 0));
  const auto fine = OpenDataset(Uri("cifar100", folder), {});
  ASSERT_TRUE(fine.ok()) << fine.status();
  EXPECT_EQ((*fine)->Label(0), 98);
  EXPECT_EQ((*fine)->class_names().size(), 100u);
  EXPECT_EQ((*fine)->Get(0)->rgb[1], 0) << "green of the first pixel: byte 1024";
  const auto coarse =
      OpenDataset(Uri("cifar100", folder, "?labels=coarse"), {.split = Split::kVal});
  ASSERT_TRUE(coarse.ok()) << coarse.status();
  EXPECT_EQ((*coarse)->Label(0), 1);
  EXPECT_EQ((*coarse)->class_names().size(), 20u);
}

TEST(CifarTest, NamesClassesAsTheFileBesideItDoes) {
  const ScratchFolder folder;
  folder.Write("data_batch_1.bin", CifarRecord({0}, 0));
  folder.Write("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  EXPECT_THAT((*OpenDataset(Uri("cifar10", folder), {}))->class_names(),
              ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"));
  folder.Write("batches.meta.txt", "a\nb\n");
  EXPECT_THAT(MessageOf(OpenDataset(Uri("cifar10", folder), {})), HasSubstr("names 2 classes"));
}

TEST(CifarTest, BadFilesAreNamedWithTheOffset) {
  const ScratchFolder folder;
  EXPECT_THAT(MessageOf(OpenDataset(Uri("cifar10", folder), {})), HasSubstr("no data_batch_N.bin"));
  folder.Write("data_batch_1.bin", CifarRecord({1}, 0) + "rest");
  EXPECT_THAT(MessageOf(OpenDataset(Uri("cifar10", folder), {})),
              HasSubstr("what is left begins at offset 3073"));
  folder.Write("data_batch_1.bin", "");
  EXPECT_THAT(MessageOf(OpenDataset(Uri("cifar10", folder), {})), HasSubstr("0 bytes"));
  folder.Write("data_batch_1.bin", CifarRecord({1}, 0) + CifarRecord({10}, 0));
  EXPECT_THAT(MessageOf(OpenDataset(Uri("cifar10", folder), {})),
              HasSubstr("the label at offset 3073 is 10; allowed: 0 to 9"));
}

TEST(CifarTest, AFileThatShrinksLaterIsCorruptNotACrash) {
  const ScratchFolder folder;
  const auto file = folder.Write("data_batch_1.bin", CifarRecord({1}, 0) + CifarRecord({2}, 0));
  const auto train = OpenDataset(Uri("cifar10", folder), {});
  ASSERT_TRUE(train.ok()) << train.status();
  std::filesystem::resize_file(file, 4000);
  EXPECT_TRUE((*train)->Get(0).ok());
  EXPECT_TRUE(absl::IsDataLoss((*train)->Get(1).status())) << (*train)->Get(1).status();
}

}  // namespace
}  // namespace quantry::engine
