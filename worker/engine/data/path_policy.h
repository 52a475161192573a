#ifndef QUANTRY_WORKER_ENGINE_DATA_PATH_POLICY_H_
#define QUANTRY_WORKER_ENGINE_DATA_PATH_POLICY_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quantry::engine {

// Says which files a job may read: those below its roots, links followed.
class PathPolicy {
 public:
  // No roots: everything is allowed. Those that are URIs (https://host/) allow no file.
  explicit PathPolicy(std::vector<std::string> allowed_roots);

  // `path` without links, "." and "..". PERMISSION_DENIED if that is outside the roots, whether or
  // not it exists; NOT_FOUND if it does not exist.
  absl::StatusOr<std::filesystem::path> Resolve(const std::filesystem::path& path) const;

 private:
  std::vector<std::string> names_;                // as given, for messages
  std::vector<std::filesystem::path> canonical_;  // of those that are folders
};

// Whether what lies at `uri` (https://host/a/b.tar) is below one of the roots that are URIs
// themselves. No roots at all: everything is. PERMISSION_DENIED otherwise.
absl::Status CheckRemoteAllowed(const std::string& uri, const std::vector<std::string>& roots);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_PATH_POLICY_H_
