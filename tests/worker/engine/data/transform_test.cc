#include "worker/engine/data/transform.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/worker/engine/data/test_pictures.h"

namespace quantry::engine {
namespace {

const LoaderOptions kPlain{.image_size = 32, .mean = {0.5, 0.25, 0}, .std = {0.5, 0.25, 1.0}};

TEST(PlanCropTest, EvaluationTakesTheMiddle) {
  CounterRng rng({1});
  const Crop same = PlanCrop(32, 32, kPlain, &rng);
  EXPECT_EQ(same.resized_width, 32);
  EXPECT_EQ(same.x, 0);
  EXPECT_EQ(same.y, 0);
  EXPECT_FALSE(same.flip);

  const LoaderOptions large{.image_size = 224};
  const Crop crop = PlanCrop(600, 400, large, &rng);
  EXPECT_EQ(crop.resized_width, 384);
  EXPECT_EQ(crop.resized_height, 256);
  EXPECT_EQ(crop.x, (384 - 224) / 2);
  EXPECT_EQ(crop.y, (256 - 224) / 2);
}

TEST(PlanCropTest, RandomCropsReachTheirWholeRange) {
  LoaderOptions options = kPlain;
  options.random_crop = true;
  options.random_flip = true;
  std::set<int> x, y, flips;
  for (uint64_t i = 0; i < 2000; ++i) {
    CounterRng rng({i});
    const Crop crop = PlanCrop(32, 32, options, &rng);
    x.insert(crop.x);
    y.insert(crop.y);
    flips.insert(crop.flip);
  }
  EXPECT_EQ(*x.begin(), -4);
  EXPECT_EQ(*x.rbegin(), 4);
  EXPECT_EQ(x.size(), 9u);
  EXPECT_EQ(*y.begin(), -4);
  EXPECT_EQ(*y.rbegin(), 4);
  EXPECT_EQ(flips.size(), 2u);

  x.clear();
  for (uint64_t i = 0; i < 2000; ++i) {
    CounterRng rng({i});
    const Crop crop = PlanCrop(100, 50, options, &rng);
    EXPECT_EQ(crop.resized_width, 74);  // 37 on the shorter side
    EXPECT_EQ(crop.resized_height, 37);
    EXPECT_GE(crop.y, 0);
    EXPECT_LE(crop.y, 5);
    x.insert(crop.x);
  }
  EXPECT_EQ(*x.begin(), 0);
  EXPECT_EQ(*x.rbegin(), 42);
}

TEST(TransformTest, NormalisesAndMirrorsAtTheEdge) {
  const Picture picture = TestPicture(32, 32, 5);
  const Transform transform(kPlain);
  std::vector<float> output(32 * 32 * 3);
  const Crop crop{.resized_width = 32, .resized_height = 32, .x = -3, .y = 2, .flip = true};
  ASSERT_TRUE(transform.Apply(picture, crop, output.data()).ok());
  const auto reflect = [](int i) { return i < 0 ? -i : (i > 31 ? 62 - i : i); };
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      const int source_y = reflect(y + 2);
      const int source_x = reflect(31 - x - 3);
      for (int c = 0; c < 3; ++c) {
        const int value = picture.rgb[(source_y * 32 + source_x) * 3 + c];
        const auto expected = static_cast<float>((value / 255.0 - kPlain.mean[c]) / kPlain.std[c]);
        ASSERT_EQ(output[(y * 32 + x) * 3 + c], expected) << x << " " << y << " " << c;
      }
    }
  }
}

TEST(TransformTest, ResizingKeepsAConstantPicture) {
  for (const int side : {8, 37, 300}) {
    Picture picture{.width = side, .height = side + 9, .rgb = {}, .label = 0};
    picture.rgb.assign(static_cast<size_t>(side) * (side + 9) * 3, 51);
    CounterRng rng({1});
    std::vector<float> output(32 * 32 * 3, -9);
    const Transform transform(kPlain);
    ASSERT_TRUE(
        transform
            .Apply(picture, PlanCrop(picture.width, picture.height, kPlain, &rng), output.data())
            .ok());
    for (size_t i = 0; i < output.size(); i += 3) {
      ASSERT_FLOAT_EQ(output[i], (0.2f - 0.5f) / 0.5f);
      ASSERT_FLOAT_EQ(output[i + 2], 0.2f);
    }
  }
}

}  // namespace
}  // namespace quantry::engine
