#include "worker/engine/data/cached_dataset.h"

#include <gtest/gtest.h>

#include <thread>

namespace quantry::engine {
namespace {

// Pictures that say their index, and how often they were made.
class CountingDataset : public Dataset {
 public:
  explicit CountingDataset(std::atomic<int>* made) : made_(made) {}
  int64_t size() const override { return 50; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::optional<int> native_size() const override { return 4; }
  bool mirrors_well() const override { return false; }
  int64_t Label(int64_t index) const override { return index % 2; }
  std::string Name(int64_t index) const override { return std::to_string(index); }
  absl::StatusOr<Picture> Get(int64_t index) const override {
    ++*made_;
    return Picture{.width = 4,
                   .height = 4,
                   .rgb = std::vector<uint8_t>(48, static_cast<uint8_t>(index)),
                   .label = Label(index)};
  }

 private:
  std::vector<std::string> class_names_ = {"even", "odd"};
  std::atomic<int>* const made_;
};

TEST(CachedDatasetTest, MakesEveryPictureOnce) {
  std::atomic<int> made = 0;
  const CachedDataset cached(std::make_unique<CountingDataset>(&made));
  for (int round = 0; round < 3; ++round) {
    for (int64_t i = 0; i < cached.size(); ++i) {
      const Picture picture = cached.Get(i).value();
      EXPECT_EQ(picture.rgb, std::vector<uint8_t>(48, static_cast<uint8_t>(i)));
      EXPECT_EQ(picture.label, i % 2);
      EXPECT_EQ(picture.width, 4);
    }
  }
  EXPECT_EQ(made, 50);
}

TEST(CachedDatasetTest, ThreadsSeeWholePictures) {
  std::atomic<int> made = 0;
  const CachedDataset cached(std::make_unique<CountingDataset>(&made));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int64_t n = 0; n < 500; ++n) {
        const int64_t i = n % cached.size();
        if (cached.Get(i).value().rgb != std::vector<uint8_t>(48, static_cast<uint8_t>(i))) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace quantry::engine
