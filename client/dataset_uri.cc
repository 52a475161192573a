#include "client/dataset_uri.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::string> AbsoluteFolder(absl::string_view folder) {
  const fs::path path{std::string(folder)};
  if (path.is_absolute()) return path.lexically_normal().string();
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (error || !fs::is_directory(absolute, error)) {
    return absl::NotFoundError(absl::StrCat(
        "dataset '", folder, "': there is no folder ", absolute.string(),
        "; give an existing folder, an absolute path that the worker sees, or a URI such as "
        "synthetic://glyphs"));
  }
  std::string text = absolute.string();
  if (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace

absl::StatusOr<std::string> NormalizeDatasetUri(absl::string_view dataset) {
  constexpr absl::string_view kFile = "file://";
  if (dataset.empty() || dataset == kFile) {
    return absl::InvalidArgumentError(
        "the dataset is empty; allowed: a folder, file:///path/to/folder, synthetic://glyphs?...");
  }
  if (absl::StartsWith(dataset, "file:///")) return std::string(dataset);
  const bool is_uri = absl::StrContains(dataset, "://");
  if (is_uri && !absl::StartsWith(dataset, kFile)) return std::string(dataset);

  // A '?' starts the query of a URI; in a plain path it is a character as any other.
  const size_t query = is_uri ? dataset.find('?') : absl::string_view::npos;
  absl::StatusOr<std::string> folder =
      AbsoluteFolder(absl::StripPrefix(dataset.substr(0, query), kFile));
  if (!folder.ok()) return folder.status();
  if (!is_uri && absl::StrContains(*folder, '?')) {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset '", dataset,
                     "': a folder whose name contains '?' can't be written as a URI; "
                     "rename it"));
  }
  return absl::StrCat(kFile, *folder,
                      query == absl::string_view::npos ? "" : dataset.substr(query));
}

}  // namespace quantry::client
