#ifndef QUANTRY_TESTS_SERVER_TEMP_FOLDER_H_
#define QUANTRY_TESTS_SERVER_TEMP_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace quantry::server {

// An empty folder for one test; ends with it.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "quantry_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace quantry::server

#endif  // QUANTRY_TESTS_SERVER_TEMP_FOLDER_H_
