#ifndef QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_PICTURES_H_
#define QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_PICTURES_H_

#include <filesystem>
#include <string>

#include "absl/strings/string_view.h"
#include "worker/engine/data/dataset.h"

namespace quantry::engine {

// A folder of its own for each test, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }

  // Writes `content` to `name` below the folder, making the folders in between.
  std::filesystem::path Write(const std::string& name, absl::string_view content) const;

 private:
  std::filesystem::path path_;
};

// A picture whose every value depends on its place and `seed`.
Picture TestPicture(int width, int height, int seed);

// TestPicture as a PNG file.
std::string TestPng(int width, int height, int seed);

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_DATA_TEST_PICTURES_H_
