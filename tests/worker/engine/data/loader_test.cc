#include "worker/engine/data/loader.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<const Dataset> Glyphs(const std::string& parameters = "train=100") {
  auto dataset = OpenDataset("synthetic://glyphs?classes=7&" + parameters, {});
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return *std::move(dataset);
}

const LoaderOptions kTraining{.batch_size = 16,
                              .image_size = 32,
                              .random_crop = true,
                              .random_flip = true,
                              .shuffle = true,
                              .seed = 9};

std::unique_ptr<Loader> MakeLoader(std::shared_ptr<const Dataset> dataset,
                                   const LoaderOptions& options) {
  auto loader = Loader::Create(std::move(dataset), options);
  EXPECT_TRUE(loader.ok()) << loader.status();
  return *std::move(loader);
}

// All that is left of the epoch.
std::vector<Batch> Drain(Loader* loader) {
  std::vector<Batch> batches;
  while (true) {
    auto batch = loader->Next();
    EXPECT_TRUE(batch.ok()) << batch.status();
    if (!batch.ok() || !batch->has_value()) return batches;
    batches.push_back(**std::move(batch));
  }
}

std::vector<Batch> Epoch(Loader* loader, int64_t epoch, int64_t first_batch = 0) {
  EXPECT_TRUE(loader->StartEpoch(epoch, first_batch).ok());
  return Drain(loader);
}

void ExpectSame(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.index, b.index);
  EXPECT_TRUE(at::equal(a.inputs[0], b.inputs[0]));
  EXPECT_TRUE(at::equal(a.targets, b.targets));
}

TEST(LoaderTest, ShapesOfBatches) {
  const auto loader = MakeLoader(Glyphs(), kTraining);
  EXPECT_EQ(loader->num_examples(), 100);
  EXPECT_EQ(loader->num_batches(), 7);
  const std::vector<Batch> batches = Epoch(loader.get(), 0);
  ASSERT_EQ(batches.size(), 7u);
  for (size_t k = 0; k < 7; ++k) {
    const int64_t rows = k < 6 ? 16 : 4;
    EXPECT_EQ(batches[k].index, static_cast<int64_t>(k));
    EXPECT_EQ(batches[k].inputs[0].sizes(), at::IntArrayRef({rows, 3, 32, 32}));
    EXPECT_TRUE(batches[k].inputs[0].is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_EQ(batches[k].inputs[0].scalar_type(), at::kFloat);
    EXPECT_EQ(batches[k].targets.sizes(), at::IntArrayRef({rows}));
    EXPECT_EQ(batches[k].targets.scalar_type(), at::kLong);
    EXPECT_EQ(batches[k].skipped, 0);
  }
  EXPECT_FALSE(loader->Next().value().has_value()) << "the end stays the end";
}

TEST(LoaderTest, UnshuffledPicturesAreThoseOfTheDataset) {
  LoaderOptions options{.batch_size = 10, .image_size = 32, .mean = {0, 0, 0}, .std = {1, 1, 1}};
  options.decode_threads = 3;
  const auto dataset = Glyphs();
  const auto loader = MakeLoader(dataset, options);
  const std::vector<Batch> batches = Epoch(loader.get(), 5);
  for (int64_t i = 0; i < 100; ++i) {
    const Batch& batch = batches[i / 10];
    const Picture picture = dataset->Get(i).value();
    EXPECT_EQ(batch.targets[i % 10].item<int64_t>(), picture.label);
    const at::Tensor image = batch.inputs[0][i % 10].permute({1, 2, 0}).mul(255).round();
    const at::Tensor expected =
        at::tensor(at::ArrayRef<uint8_t>(picture.rgb)).view({32, 32, 3}).to(at::kFloat);
    EXPECT_TRUE(at::equal(image, expected)) << i;
  }
}

TEST(LoaderTest, ThreadsAndPrefetchDoNotChangeAnything) {
  LoaderOptions options = kTraining;
  options.decode_threads = 1;
  options.prefetch = 1;
  const std::vector<Batch> one = Epoch(MakeLoader(Glyphs(), options).get(), 3);
  options.decode_threads = 4;
  options.prefetch = 5;
  const std::vector<Batch> four = Epoch(MakeLoader(Glyphs(), options).get(), 3);
  ASSERT_EQ(one.size(), four.size());
  for (size_t k = 0; k < one.size(); ++k) ExpectSame(one[k], four[k]);
}

TEST(LoaderTest, ResumingGivesTheSameBatches) {
  const auto loader = MakeLoader(Glyphs(), kTraining);
  Epoch(loader.get(), 0);
  const std::vector<Batch> whole = Epoch(loader.get(), 1);
  const std::vector<Batch> rest = Epoch(MakeLoader(Glyphs(), kTraining).get(), 1, 4);
  ASSERT_EQ(rest.size(), 3u);
  for (size_t k = 0; k < 3; ++k) ExpectSame(rest[k], whole[k + 4]);
  EXPECT_TRUE(Epoch(loader.get(), 1, 7).empty());
}

TEST(LoaderTest, ShardsTogetherAreTheBatch) {
  const std::vector<Batch> whole = Epoch(MakeLoader(Glyphs("train=34"), kTraining).get(), 1);
  for (const int64_t count : {2, 3}) {
    std::vector<std::vector<Batch>> shards;
    for (int64_t index = 0; index < count; ++index) {
      const auto loader = MakeLoader(Glyphs("train=34"), kTraining);
      EXPECT_EQ(loader->num_batches(), 3);
      ASSERT_TRUE(loader->StartEpoch(1, 0, {.index = index, .count = count}).ok());
      shards.push_back(Drain(loader.get()));
      // The last batch has 2 pictures: a third shard has none of it, but the batch itself.
      ASSERT_EQ(shards.back().size(), 3u);
    }
    for (size_t k = 0; k < 3; ++k) {
      Batch together = shards[0][k];
      for (size_t index = 1; index < shards.size(); ++index) {
        const Batch& shard = shards[index][k];
        EXPECT_EQ(shard.index, static_cast<int64_t>(k));
        together.inputs[0] = at::cat({together.inputs[0], shard.inputs[0]});
        together.targets = at::cat({together.targets, shard.targets});
      }
      ExpectSame(together, whole[k]);
    }
  }
}

TEST(LoaderTest, RefusesAShardThatThereIsNot) {
  const auto loader = MakeLoader(Glyphs(), kTraining);
  EXPECT_TRUE(absl::IsInvalidArgument(loader->StartEpoch(0, 0, {.index = 2, .count = 2})));
  EXPECT_TRUE(absl::IsInvalidArgument(loader->StartEpoch(0, 0, {.index = -1, .count = 2})));
}

TEST(LoaderTest, SeedAndEpochChangeOrderAndAugmentation) {
  const auto first = [](const LoaderOptions& options, int64_t epoch) {
    return Epoch(MakeLoader(Glyphs(), options).get(), epoch).front().inputs[0];
  };
  LoaderOptions options = kTraining;
  EXPECT_FALSE(at::equal(first(options, 0), first(options, 1))) << "order";
  options.shuffle = false;
  EXPECT_FALSE(at::equal(first(options, 0), first(options, 1))) << "augmentation";
  LoaderOptions other = options;
  other.seed = 10;
  EXPECT_FALSE(at::equal(first(options, 0), first(other, 0))) << "seed";
  options.random_crop = options.random_flip = false;
  EXPECT_TRUE(at::equal(first(options, 0), first(options, 1))) << "nothing random is left";
}

TEST(LoaderTest, EveryEpochHasEveryPictureOnce) {
  LoaderOptions options = kTraining;
  options.random_crop = options.random_flip = false;
  const auto loader = MakeLoader(Glyphs(), options);
  std::multiset<double> sums[2];
  for (const int epoch : {0, 1}) {
    for (const Batch& batch : Epoch(loader.get(), epoch)) {
      const at::Tensor sum = batch.inputs[0].to(at::kDouble).sum({1, 2, 3});
      for (int64_t i = 0; i < sum.size(0); ++i) sums[epoch].insert(sum[i].item<double>());
    }
  }
  EXPECT_EQ(sums[0], sums[1]);
  EXPECT_EQ(sums[0].size(), 100u);
}

TEST(LoaderTest, MaxExamplesChoosesTheSameOnesEveryEpoch) {
  LoaderOptions options = kTraining;
  options.random_crop = options.random_flip = false;
  options.max_examples = 20;
  const auto loader = MakeLoader(Glyphs(), options);
  EXPECT_EQ(loader->num_examples(), 20);
  std::multiset<double> sums[2];
  for (const int epoch : {0, 1}) {
    for (const Batch& batch : Epoch(loader.get(), epoch)) {
      const at::Tensor sum = batch.inputs[0].to(at::kDouble).sum({1, 2, 3});
      for (int64_t i = 0; i < sum.size(0); ++i) sums[epoch].insert(sum[i].item<double>());
    }
  }
  EXPECT_EQ(sums[0], sums[1]);
  EXPECT_EQ(sums[0].size(), 20u);
}

TEST(LoaderTest, DropLast) {
  LoaderOptions options = kTraining;
  options.drop_last = true;
  EXPECT_EQ(Epoch(MakeLoader(Glyphs(), options).get(), 0).size(), 6u);
  options.batch_size = 101;
  const auto loader = Loader::Create(Glyphs(), options);
  EXPECT_THAT(std::string(loader.status().message()), HasSubstr("batch_size is 101"));
}

TEST(LoaderTest, MayBeLeftAtAnyTime) {
  LoaderOptions options = kTraining;
  options.decode_threads = 4;
  MakeLoader(Glyphs(), options);  // never started
  for (int taken = 0; taken < 4; ++taken) {
    const auto loader = MakeLoader(Glyphs(), options);
    ASSERT_TRUE(loader->StartEpoch(0).ok());
    for (int i = 0; i < taken; ++i) ASSERT_TRUE(loader->Next().value().has_value());
    ASSERT_TRUE(loader->StartEpoch(1).ok()) << "drops what was decoded ahead";
  }
}

TEST(LoaderTest, MisuseIsAnError) {
  const auto loader = MakeLoader(Glyphs(), kTraining);
  EXPECT_EQ(loader->Next().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::IsInvalidArgument(loader->StartEpoch(-1)));
  EXPECT_TRUE(absl::IsInvalidArgument(loader->StartEpoch(0, 8)));
  EXPECT_TRUE(absl::IsInvalidArgument(loader->StartEpoch(0, -1)));
}

TEST(LoaderOptionsTest, OutOfRangeNamesTheField) {
  struct Case {
    const char* field;
    void (*change)(LoaderOptions*);
  };
  const Case cases[] = {
      {"batch_size", [](LoaderOptions* o) { o->batch_size = 0; }},
      {"image_size", [](LoaderOptions* o) { o->image_size = 7; }},
      {"image_size", [](LoaderOptions* o) { o->image_size = 1025; }},
      {"decode_threads", [](LoaderOptions* o) { o->decode_threads = 0; }},
      {"prefetch", [](LoaderOptions* o) { o->prefetch = 65; }},
      {"max_examples", [](LoaderOptions* o) { o->max_examples = 0; }},
      {"max_corrupt_fraction", [](LoaderOptions* o) { o->max_corrupt_fraction = 1.5; }},
      {"mean[1]", [](LoaderOptions* o) { o->mean[1] = NAN; }},
      {"std[2]", [](LoaderOptions* o) { o->std[2] = 0; }},
  };
  EXPECT_TRUE(LoaderOptions{}.Validate().ok());
  for (const Case& c : cases) {
    LoaderOptions options;
    c.change(&options);
    EXPECT_TRUE(absl::IsInvalidArgument(options.Validate())) << c.field;
    EXPECT_THAT(std::string(options.Validate().message()), HasSubstr(c.field));
  }
}

class CorruptPicturesTest : public testing::Test {
 protected:
  // 40 pictures of two classes; `corrupt` of them can't be decoded.
  std::shared_ptr<const Dataset> Folder(std::set<int> corrupt) {
    for (int i = 0; i < 40; ++i) {
      scratch_.Write((i % 2 == 0 ? "a/" : "b/") + std::to_string(100 + i) + ".png",
                     corrupt.contains(i) ? "no picture" : TestPng(10, 10, i));
    }
    auto dataset = OpenDataset("file://" + scratch_.path().string() + "?split=all", {});
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return *std::move(dataset);
  }

  ScratchFolder scratch_;
};

TEST_F(CorruptPicturesTest, AreLeftOutAndCounted) {
  const LoaderOptions options{.batch_size = 10, .image_size = 8, .decode_threads = 2};
  const auto loader = MakeLoader(Folder({2, 5}), options);
  for (const int epoch : {0, 1}) {
    const std::vector<Batch> batches = Epoch(loader.get(), epoch);
    ASSERT_EQ(batches.size(), 4u);
    EXPECT_EQ(batches[0].skipped, 1);
    EXPECT_EQ(batches[0].inputs[0].size(0), 9);
    EXPECT_EQ(batches[0].targets.size(0), 9);
    EXPECT_TRUE(batches[0].inputs[0].is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_EQ(batches[1].skipped, 0);
    EXPECT_EQ(batches[2].skipped, 1);
  }
  EXPECT_EQ(loader->num_corrupt(), 2);
  EXPECT_THAT(loader->CorruptPictures(),
              ElementsAre(HasSubstr("a/102.png"), HasSubstr("b/105.png")));
}

TEST_F(CorruptPicturesTest, OverTheLimitIsAnErrorThatNamesThem) {
  const LoaderOptions options{.batch_size = 10, .image_size = 8, .decode_threads = 2};
  const auto loader = MakeLoader(Folder({2, 5, 8}), options);
  ASSERT_TRUE(loader->StartEpoch(0).ok());
  EXPECT_TRUE(loader->Next().ok());
  EXPECT_TRUE(loader->Next().ok());
  const absl::Status status = loader->Next().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("at least 3 of 40"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("a/102.png"));
  EXPECT_EQ(loader->Next().status(), status) << "an error stays";
}

TEST_F(CorruptPicturesTest, ABatchOfNothingElseIsPassedOver) {
  const LoaderOptions options{
      .batch_size = 2, .image_size = 8, .decode_threads = 2, .max_corrupt_fraction = 0.5};
  const auto loader = MakeLoader(Folder({0, 2}), options);  // the first two of class a
  const std::vector<Batch> batches = Epoch(loader.get(), 0);
  ASSERT_EQ(batches.size(), 19u);
  EXPECT_EQ(batches[0].index, 1);
}

TEST_F(CorruptPicturesTest, AMissingFileIsAnError) {
  const auto dataset = Folder({});
  std::filesystem::remove(scratch_.path() / "a/100.png");
  const auto loader = MakeLoader(dataset, {.batch_size = 10, .image_size = 8});
  ASSERT_TRUE(loader->StartEpoch(0).ok());
  EXPECT_TRUE(absl::IsNotFound(loader->Next().status()));
}

}  // namespace
}  // namespace quantry::engine
