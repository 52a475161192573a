#include "worker/engine/data/folder_scan.h"

#include <algorithm>
#include <functional>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 16;
constexpr const char* kPictureKinds = ".jpg, .jpeg or .png";

bool IsHidden(const fs::path& path) { return path.filename().string().front() == '.'; }

bool IsPictureName(const fs::path& path) {
  const std::string extension = absl::AsciiStrToLower(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

// Calls `visit` for every entry that is not hidden, in no particular order, until one fails.
absl::Status ForEachEntry(const fs::path& folder,
                          const std::function<absl::Status(const fs::directory_entry&)>& visit) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    if (!IsHidden(entries->path())) QUANTRY_RETURN_IF_ERROR(visit(*entries));
  }
  if (!error) return absl::OkStatus();
  return ErrnoToStatus(error.value(), absl::StrCat("cannot list ", folder.string()));
}

// A link must lead to an allowed place; anything else is where its folder is.
absl::Status CheckLink(const fs::directory_entry& entry, const PathPolicy& policy) {
  std::error_code error;
  if (!entry.is_symlink(error)) return absl::OkStatus();
  return policy.Resolve(entry.path()).status();
}

absl::StatusOr<ClassFolder> ScanClass(const fs::path& folder, const PathPolicy& policy) {
  ClassFolder result{.name = folder.filename().string(), .files = {}};
  const auto keep_picture = [&](const fs::directory_entry& entry) -> absl::Status {
    if (!IsPictureName(entry.path())) return absl::OkStatus();
    QUANTRY_RETURN_IF_ERROR(CheckLink(entry, policy));
    std::error_code error;
    if (entry.is_regular_file(error)) result.files.push_back(entry.path().filename().string());
    return absl::OkStatus();
  };
  QUANTRY_RETURN_IF_ERROR(ForEachEntry(folder, keep_picture));
  if (result.files.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("class folder ", folder.string(),
                                                   " has no pictures (", kPictureKinds,
                                                   "); put some there or remove the folder"));
  }
  std::sort(result.files.begin(), result.files.end());
  return result;
}

}  // namespace

bool HasFolders(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entries(folder, error); !error && entries != fs::directory_iterator();
       entries.increment(error)) {
    std::error_code ignored;
    if (!IsHidden(entries->path()) && entries->is_directory(ignored)) return true;
  }
  return false;
}

absl::StatusOr<std::vector<ClassFolder>> ScanClassFolders(const fs::path& root,
                                                          const PathPolicy& policy) {
  std::vector<fs::path> folders;
  const auto keep_folder = [&](const fs::directory_entry& entry) -> absl::Status {
    std::error_code error;
    if (!entry.is_directory(error)) return absl::OkStatus();
    QUANTRY_RETURN_IF_ERROR(CheckLink(entry, policy));
    folders.push_back(entry.path());
    return absl::OkStatus();
  };
  QUANTRY_RETURN_IF_ERROR(ForEachEntry(root, keep_folder));
  if (folders.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "folder ", root.string(), " has no pictures: put them in one folder per class, ",
        (root / "CLASS").string(), "/picture.jpg (", kPictureKinds, ")"));
  }
  std::sort(folders.begin(), folders.end());
  std::vector<ClassFolder> classes;
  for (const fs::path& folder : folders) {
    QUANTRY_ASSIGN_OR_RETURN(ClassFolder scanned, ScanClass(folder, policy));
    classes.push_back(std::move(scanned));
  }
  return classes;
}

absl::StatusOr<std::vector<std::string>> ScanPictures(const fs::path& root,
                                                      const PathPolicy& policy) {
  std::vector<std::string> files;
  const std::function<absl::Status(const fs::path&, int)> scan = [&](const fs::path& folder,
                                                                     int depth) {
    return ForEachEntry(folder, [&](const fs::directory_entry& entry) -> absl::Status {
      std::error_code error;
      if (entry.is_directory(error)) {
        if (entry.is_symlink(error) || depth == kMaxDepth) return absl::OkStatus();
        return scan(entry.path(), depth + 1);
      }
      if (!IsPictureName(entry.path())) return absl::OkStatus();
      QUANTRY_RETURN_IF_ERROR(CheckLink(entry, policy));
      if (!entry.is_regular_file(error)) return absl::OkStatus();
      files.push_back(entry.path().lexically_relative(root).string());
      return absl::OkStatus();
    });
  };
  QUANTRY_RETURN_IF_ERROR(scan(root, 1));
  if (files.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", root.string(), " has no pictures (", kPictureKinds, ")"));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace quantry::engine
