#include "tests/worker/engine/data/test_pictures.h"

#include <gtest/gtest.h>

#include "worker/engine/data/picture_codec.h"

namespace quantry::engine {

Picture TestPicture(int width, int height, int seed) {
  Picture picture{.width = width, .height = height, .rgb = {}, .label = 0};
  for (int i = 0; i < width * height * 3; ++i) {
    picture.rgb.push_back(static_cast<uint8_t>((i * 7 + i / 11 + seed * 31) % 256));
  }
  return picture;
}

std::string TestPng(int width, int height, int seed) {
  return EncodePng(TestPicture(width, height, seed)).value();
}

}  // namespace quantry::engine
