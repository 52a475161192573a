#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "worker/engine/data/augment/augment_op.h"
#include "worker/engine/data/augment/colour_jitter.h"
#include "worker/engine/data/augment/colour_ops.h"
#include "worker/engine/data/augment/rand_augment.h"
#include "worker/engine/data/augment/random_erasing.h"
#include "worker/engine/data/augment/resized_crop.h"
#include "worker/engine/data/transform.h"

namespace quantry::engine {
namespace {

using testing::HasSubstr;

cv::Mat SamplePicture(uint64_t seed = 1) {
  cv::Mat picture(24, 24, CV_8UC3);
  CounterRng rng({seed});
  uint8_t* const bytes = picture.ptr<uint8_t>();
  // A ramp with noise in half of the range: every operation has something to change.
  for (int i = 0; i < 24 * 24 * 3; ++i) {
    bytes[i] = static_cast<uint8_t>(40 + i / 24 + rng.Below(60));
  }
  return picture;
}

bool Same(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && a.type() == b.type() &&
         std::memcmp(a.data, b.data, a.total() * a.elemSize()) == 0;
}

cv::Mat Applied(const AugmentOp& op, double strength, uint64_t seed) {
  cv::Mat picture = SamplePicture();
  CounterRng rng({seed});
  op.apply(strength, &rng, &picture);
  return picture;
}

TEST(AugmentOpTest, EachIsDeterministicAndHasAnEffect) {
  for (const AugmentOp& op : AugmentOpTable()) {
    SCOPED_TRACE(std::string(op.name));
    const cv::Mat changed = Applied(op, 0.9, 5);
    EXPECT_TRUE(Same(changed, Applied(op, 0.9, 5)));
    EXPECT_EQ(changed.size(), cv::Size(24, 24));
    EXPECT_EQ(changed.type(), CV_8UC3);
    EXPECT_TRUE(changed.isContinuous());
    EXPECT_EQ(Same(changed, SamplePicture()), op.name == "identity");
    EXPECT_EQ(FindAugmentOp(op.name), &op);
    for (const double strength : {0.0, 3.0}) {
      EXPECT_EQ(Applied(op, strength, 6).size(), cv::Size(24, 24));
    }
  }
}

TEST(AugmentOpTest, ColoursAgainstTheirFormulas) {
  cv::Mat picture(1, 1, CV_8UC3, cv::Scalar(100, 50, 200));
  const auto expect = [&](int r, int g, int b) {
    EXPECT_EQ(picture.at<cv::Vec3b>(0, 0), cv::Vec3b(r, g, b));
    picture = cv::Scalar(100, 50, 200);
  };
  Invert(0, nullptr, &picture);
  expect(155, 205, 55);
  Posterize(0.5, nullptr, &picture);  // the two lowest bits go
  expect(100, 48, 200);
  Solarize(0.5, nullptr, &picture);
  expect(100, 50, 55);
  ScaleBrightness(1.5, &picture);
  expect(150, 75, 255);
  ScaleColor(0.0, &picture);  // 0.299 * 100 + 0.587 * 50 + 0.114 * 200 = 82.05
  expect(82, 82, 82);
  ScaleContrast(0.5, &picture);  // halfway to that grey
  expect(91, 66, 141);
}

TEST(RandAugmentTest, DrawsFromThePolicyAlone) {
  const AugmentOptions invert{.rand_augment_ops = 2, .rand_augment_policy = {"invert"}};
  cv::Mat picture = SamplePicture();
  CounterRng rng({1});
  RandAugment(invert).Apply(&rng, &picture);
  EXPECT_TRUE(Same(picture, SamplePicture())) << "inverted twice";
}

TEST(ColourJitterTest, OffIsOffAndOnIsDeterministic) {
  const auto jittered = [](const AugmentOptions& options, uint64_t seed) {
    cv::Mat picture = SamplePicture();
    CounterRng rng({seed});
    JitterColours(options, &rng, &picture);
    return picture;
  };
  EXPECT_TRUE(Same(jittered({}, 1), SamplePicture()));
  for (const AugmentOptions& options :
       {AugmentOptions{.brightness = 0.5}, AugmentOptions{.contrast = 0.5},
        AugmentOptions{.saturation = 0.5}, AugmentOptions{.hue = 0.3}}) {
    EXPECT_FALSE(Same(jittered(options, 1), SamplePicture()));
    EXPECT_TRUE(Same(jittered(options, 1), jittered(options, 1)));
    EXPECT_FALSE(Same(jittered(options, 1), jittered(options, 2)));
  }
}

TEST(ResizedCropTest, StaysInsideAndWithinItsRatios) {
  CounterRng rng({3});
  for (int i = 0; i < 500; ++i) {
    const cv::Rect part = DrawResizedCrop(100, 80, 0.08, &rng);
    ASSERT_TRUE(part.x >= 0 && part.y >= 0 && part.x + part.width <= 100 &&
                part.y + part.height <= 80)
        << part;
    ASSERT_GE(part.area(), 0.07 * 8000);
    const double ratio = static_cast<double>(part.width) / part.height;
    ASSERT_TRUE(ratio > 0.7 && ratio < 1.42) << part;
  }
  EXPECT_EQ(DrawResizedCrop(1000, 10, 1.0, &rng), cv::Rect(493, 0, 13, 10)) << "nothing else fits";
  EXPECT_EQ(DrawResizedCrop(1, 1, 0.5, &rng), cv::Rect(0, 0, 1, 1));
}

TEST(RandomErasingTest, ErasesOneRectangleWithItsProbability) {
  int erased = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<float> pixels(16 * 16 * 3, 1.0f);
    CounterRng rng({seed});
    EraseRandomly(0.5, 16, &rng, pixels.data());
    const auto zeros = std::count(pixels.begin(), pixels.end(), 0.0f);
    EXPECT_LE(zeros, 3 * 16 * 16 * 0.45);
    if (zeros > 0) ++erased;
  }
  EXPECT_NEAR(erased, 100, 30);
  std::vector<float> pixels(16 * 16 * 3, 1.0f);
  CounterRng rng({1});
  EraseRandomly(0.0, 16, &rng, pixels.data());
  EXPECT_EQ(std::count(pixels.begin(), pixels.end(), 1.0f), 16 * 16 * 3);
}

TEST(AugmentedTransformTest, DependsOnTheDrawsAlone) {
  const LoaderOptions options{.image_size = 16,
                              .random_flip = true,
                              .augment = {.resized_crop_min_area = 0.3,
                                          .brightness = 0.4,
                                          .hue = 0.1,
                                          .rand_augment_ops = 2,
                                          .random_erasing = 0.5}};
  const Transform transform(options);
  Picture picture{.width = 24, .height = 24, .rgb = std::vector<uint8_t>(24 * 24 * 3)};
  std::memcpy(picture.rgb.data(), SamplePicture().data, picture.rgb.size());
  const auto run = [&](uint64_t seed) {
    std::vector<float> output(16 * 16 * 3);
    CounterRng rng({seed});
    EXPECT_TRUE(transform.ApplyRandomly(picture, &rng, output.data()).ok());
    return output;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
  for (const float value : run(3)) EXPECT_TRUE(std::isfinite(value));
}

TEST(AugmentOptionsTest, EachMistakeIsNamed) {
  const auto message = [](const AugmentOptions& options) {
    return std::string(options.Validate().message());
  };
  EXPECT_EQ(message({}), "");
  EXPECT_THAT(message({.resized_crop_min_area = 0.0}), HasSubstr("resized_crop_min_area is 0"));
  EXPECT_THAT(message({.hue = 0.6}), HasSubstr("hue is 0.6; allowed: 0 to 0.5"));
  EXPECT_THAT(message({.brightness = std::nan("")}), HasSubstr("brightness is nan"));
  EXPECT_THAT(message({.rand_augment_ops = 17}), HasSubstr("rand_augment_ops is 17"));
  EXPECT_THAT(message({.rand_augment_ops = 1, .rand_augment_policy = {"rotat"}}),
              HasSubstr("did you mean 'rotate'"));
  EXPECT_THAT(message({.rand_augment_policy = {"rotate"}}), HasSubstr("without rand_augment_ops"));
}

}  // namespace
}  // namespace quantry::engine
