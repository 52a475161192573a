#ifndef QUANTRY_WORKER_ENGINE_DATA_FOLDER_SCAN_H_
#define QUANTRY_WORKER_ENGINE_DATA_FOLDER_SCAN_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/engine/data/path_policy.h"

namespace quantry::engine {

// The pictures of one class.
struct ClassFolder {
  std::string name;
  std::vector<std::string> files;  // names within the folder, sorted bytewise; at least one
};

// Whether `folder` holds a folder whose name does not begin with a dot.
bool HasFolders(const std::filesystem::path& folder);

// The class folders of `root` with their .jpg, .jpeg and .png files (in any case), sorted bytewise
// by name. What begins with a dot and what is no picture is passed over; folders within class
// folders too. Every link must lead to where `policy` allows. INVALID_ARGUMENT: no class folders,
// or one without pictures; PERMISSION_DENIED: see PathPolicy, or a folder that can't be read.
absl::StatusOr<std::vector<ClassFolder>> ScanClassFolders(const std::filesystem::path& root,
                                                          const PathPolicy& policy);

// All such files below `root`, at any depth up to 16, as paths relative to it, sorted bytewise.
// Links to folders are not followed, those to files must lead to where `policy` allows.
// INVALID_ARGUMENT: there are none.
absl::StatusOr<std::vector<std::string>> ScanPictures(const std::filesystem::path& root,
                                                      const PathPolicy& policy);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_FOLDER_SCAN_H_
