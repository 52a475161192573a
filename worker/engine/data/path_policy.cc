#include "worker/engine/data/path_policy.h"

#include <algorithm>
#include <system_error>
#include <utility>

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
    std::error_code error;
    std::filesystem::path root = std::filesystem::weakly_canonical(name, error);
    canonical_.push_back(error ? std::filesystem::path(name) : std::move(root));
  }
}

absl::StatusOr<std::filesystem::path> PathPolicy::Resolve(const std::filesystem::path& path) const {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  if (error) return ErrnoToStatus(error.value(), absl::StrCat("cannot open ", path.string()));
  if (!canonical_.empty() &&
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

}  // namespace quantry::engine
