#include "worker/engine/data/path_policy.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"

namespace quantry::engine {
namespace {

bool IsWithin(const std::filesystem::path& path, const std::filesystem::path& root) {
  const auto [root_end, ignored] =
      std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return root_end == root.end() || (root_end->empty() && std::next(root_end) == root.end());
}

}  // namespace

PathPolicy::PathPolicy(std::vector<std::string> allowed_roots) : names_(std::move(allowed_roots)) {
  for (const std::string& name : names_) {
    if (absl::StrContains(name, "://")) continue;
    std::error_code error;
    std::filesystem::path root = std::filesystem::weakly_canonical(name, error);
    canonical_.push_back(error ? std::filesystem::path(name) : std::move(root));
  }
}

absl::StatusOr<std::filesystem::path> PathPolicy::Resolve(const std::filesystem::path& path) const {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  if (error) return ErrnoToStatus(error.value(), absl::StrCat("cannot open ", path.string()));
  if (!names_.empty() &&
      std::none_of(canonical_.begin(), canonical_.end(),
                   [&](const std::filesystem::path& root) { return IsWithin(real, root); })) {
    return absl::PermissionDeniedError(absl::StrCat(
        path.string(), real == path ? " is" : " leads", " outside the dataset folders ",
        "of this worker (", absl::StrJoin(names_, ", "),
        "); move the pictures there, or start the worker with another root"));
  }
  if (!std::filesystem::exists(real, error)) {
    return absl::NotFoundError(absl::StrCat(
        path.string(), " does not exist on this worker; check the path and that it is mounted"));
  }
  return real;
}

absl::Status CheckRemoteAllowed(const std::string& uri, const std::vector<std::string>& roots) {
  if (roots.empty()) return absl::OkStatus();
  for (const std::string& root : roots) {
    if (!absl::StrContains(root, "://") || !absl::StartsWith(uri, root)) continue;
    if (root.back() == '/' || uri.size() == root.size() || uri[root.size()] == '/') {
      return absl::OkStatus();
    }
  }
  return absl::PermissionDeniedError(
      absl::StrCat(uri, " is not below what this worker may read (", absl::StrJoin(roots, ", "),
                   "); put the data there, or start the worker with another --dataset-root, such "
                   "as ",
                   uri.substr(0, uri.find('/', uri.find("://") + 3)), "/"));
}

}  // namespace quantry::engine
