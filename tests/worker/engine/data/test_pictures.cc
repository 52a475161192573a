#include "tests/worker/engine/data/test_pictures.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "worker/engine/data/picture_codec.h"

namespace quantry::engine {

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::path(testing::TempDir()) / "quantry_data_XXXXXX").string();
  path_ = std::filesystem::canonical(mkdtemp(name.data()));
}

ScratchFolder::~ScratchFolder() { std::filesystem::remove_all(path_); }

std::filesystem::path ScratchFolder::Write(const std::string& name,
                                           absl::string_view content) const {
  const std::filesystem::path path = path_ / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

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
