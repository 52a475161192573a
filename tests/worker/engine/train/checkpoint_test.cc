#include "worker/engine/train/checkpoint.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/files.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

Checkpoint Example() {
  at::manual_seed(1);
  return {.identity = {{"model", "m"}, {"training.epochs", "3"}},
          .steps_done = 7,
          .steps_per_epoch = 4,
          .train_seconds = 1.5,
          .state = {{"w", at::randn({2, 3, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast)},
                    {"steps", at::tensor({5}, at::kLong)},
                    {"scalar", at::scalar_tensor(2.5)},
                    {"empty", at::zeros({0, 3})}},
          .optimizer = {{"w", at::randn({2, 3, 4, 4})}}};
}

std::string Serialized() {
  const auto bytes = SerializeCheckpoint(Example());
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

class CheckpointFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("checkpoint_test." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST(CheckpointTest, ComesBackAsItWas) {
  const Checkpoint before = Example();
  const auto after = ParseCheckpoint(Serialized());
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->identity, before.identity);
  EXPECT_EQ(after->steps_done, 7);
  EXPECT_EQ(after->steps_per_epoch, 4);
  EXPECT_EQ(after->train_seconds, 1.5);
  ASSERT_EQ(after->state.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(after->state[i].name, before.state[i].name);
    EXPECT_EQ(after->state[i].tensor.scalar_type(), before.state[i].tensor.scalar_type());
    EXPECT_TRUE(at::equal(after->state[i].tensor, before.state[i].tensor)) << i;
  }
  ASSERT_EQ(after->optimizer.size(), 1u);
  EXPECT_TRUE(at::equal(after->optimizer[0].tensor, before.optimizer[0].tensor));
}

TEST(CheckpointTest, EveryCutIsNoticed) {
  const std::string bytes = Serialized();
  for (size_t size = 0; size < bytes.size(); size += 13) {
    EXPECT_EQ(ParseCheckpoint(bytes.substr(0, size)).status().code(), absl::StatusCode::kDataLoss)
        << size;
  }
}

TEST(CheckpointTest, EveryFlippedByteIsNoticed) {
  const std::string bytes = Serialized();
  for (size_t i = 0; i < bytes.size(); i += 7) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x40);
    EXPECT_FALSE(ParseCheckpoint(flipped).ok()) << i;
  }
}

TEST(CheckpointTest, AnotherVersionIsRefusedByNumber) {
  std::string bytes = Serialized();
  bytes[8] = 9;
  const absl::Status status = ParseCheckpoint(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version 9"));
}

TEST(CheckpointTest, IdentityNamesWhatDiffers) {
  EXPECT_TRUE(CheckIdentity({{"a", "1"}}, {{"a", "1"}}).ok());
  const absl::Status changed = CheckIdentity({{"a", "1"}, {"b", "2"}}, {{"a", "1"}, {"b", "3"}});
  EXPECT_EQ(changed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(changed.message()), HasSubstr("b was 2, here it is 3"));
  EXPECT_THAT(std::string(CheckIdentity({}, {{"a", "1"}}).message()), HasSubstr("a was absent"));
}

TEST(CheckpointTest, RestoreNeedsTheSameTensorsAndCopiesNothingElse) {
  const at::Tensor source = at::ones({2});
  at::Tensor target = at::zeros({2});
  EXPECT_THAT(std::string(RestoreTensors({{"x", source}}, {{"y", target}}).message()),
              HasSubstr("lacks tensor 'y'"));
  EXPECT_THAT(std::string(RestoreTensors({{"x", at::ones({3})}}, {{"x", target}}).message()),
              HasSubstr("tensor 'x' is Float[3]"));
  EXPECT_FALSE(RestoreTensors({{"x", source}, {"z", source}}, {{"x", target}}).ok());
  EXPECT_TRUE(at::equal(target, at::zeros({2})));
  EXPECT_TRUE(RestoreTensors({{"x", source}}, {{"x", target}}).ok());
  EXPECT_TRUE(at::equal(target, source));
}

TEST_F(CheckpointFileTest, WritingReplacesAndLeavesNothingElse) {
  const std::filesystem::path path = folder_ / "checkpoint.qckpt";
  EXPECT_EQ(ReadCheckpoint(path).status().code(), absl::StatusCode::kNotFound);
  Checkpoint checkpoint = Example();
  ASSERT_TRUE(WriteCheckpoint(path, checkpoint).ok());
  checkpoint.steps_done = 8;
  ASSERT_TRUE(WriteCheckpoint(path, checkpoint).ok());
  const auto back = ReadCheckpoint(path);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->steps_done, 8);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(CheckpointFileTest, AHalfWrittenFileBesideItDoesNotMatter) {
  const std::filesystem::path path = folder_ / "checkpoint.qckpt";
  ASSERT_TRUE(WriteCheckpoint(path, Example()).ok());
  std::ofstream(path.string() + ".tmp.1") << Serialized().substr(0, 50);
  EXPECT_TRUE(ReadCheckpoint(path).ok());
}

TEST_F(CheckpointFileTest, ADamagedFileIsNamed) {
  const std::filesystem::path path = folder_ / "checkpoint.qckpt";
  std::ofstream(path) << "not a checkpoint";
  const absl::Status status = ReadCheckpoint(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path.string()));
}

}  // namespace
}  // namespace quantry::engine
