#include "worker/engine/data/picture_codec.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "tests/worker/engine/data/test_pictures.h"

namespace quantry::engine {
namespace {

std::string TestJpeg(int width, int height) {
  cv::Mat bgr(height, width, CV_8UC3, cv::Scalar(10, 60, 200));
  std::vector<uint8_t> file;
  cv::imencode(".jpg", bgr, file);
  return std::string(file.begin(), file.end());
}

TEST(PictureCodecTest, PngRoundTripKeepsEveryPixel) {
  const Picture picture = TestPicture(19, 11, 3);
  const auto decoded = DecodePicture(EncodePng(picture).value(), 5);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->width, 19);
  EXPECT_EQ(decoded->height, 11);
  EXPECT_EQ(decoded->label, 5);
  EXPECT_EQ(decoded->rgb, picture.rgb);
}

TEST(PictureCodecTest, JpegIsRgb) {
  const auto decoded = DecodePicture(TestJpeg(20, 30), 0);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->width, 20);
  EXPECT_EQ(decoded->height, 30);
  EXPECT_NEAR(decoded->rgb[0], 200, 3);
  EXPECT_NEAR(decoded->rgb[1], 60, 3);
  EXPECT_NEAR(decoded->rgb[2], 10, 3);
}

TEST(PictureCodecTest, EveryTruncationIsDataLoss) {
  for (const std::string& file : {TestPng(16, 16, 1), TestJpeg(16, 16)}) {
    for (size_t length = 0; length + 4 < file.size(); length += 7) {
      EXPECT_TRUE(absl::IsDataLoss(DecodePicture(file.substr(0, length), 0).status())) << length;
    }
  }
}

TEST(PictureCodecTest, DamageIsDataLossOrAPicture) {
  for (const std::string& good : {TestPng(16, 16, 1), TestJpeg(16, 16)}) {
    for (size_t at = 0; at < good.size(); at += 3) {
      std::string file = good;
      file[at] = static_cast<char>(file[at] ^ 0x5a);
      const auto decoded = DecodePicture(file, 0);
      EXPECT_TRUE(decoded.ok() || absl::IsDataLoss(decoded.status())) << decoded.status();
    }
  }
}

TEST(PictureCodecTest, SizesAreCheckedBeforeDecoding) {
  std::string bomb = TestPng(16, 16, 1);
  bomb.replace(16, 8, std::string("\x00\x00\xff\xff\x00\x00\xff\xff", 8));
  EXPECT_TRUE(absl::IsDataLoss(DecodePicture(bomb, 0).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodePicture(TestPng(99, 3, 1), 0).status())) << "33 to 1";
  EXPECT_TRUE(DecodePicture(TestPng(96, 3, 1), 0).ok()) << "32 to 1";
}

}  // namespace
}  // namespace quantry::engine
