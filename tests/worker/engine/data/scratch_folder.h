#ifndef QUANTRY_TESTS_WORKER_ENGINE_DATA_SCRATCH_FOLDER_H_
#define QUANTRY_TESTS_WORKER_ENGINE_DATA_SCRATCH_FOLDER_H_

#include <filesystem>
#include <string>

#include "absl/strings/string_view.h"

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

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_DATA_SCRATCH_FOLDER_H_
