#include "tests/worker/engine/data/scratch_folder.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

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

}  // namespace quantry::engine
