#include "worker/engine/data/image_folder.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/data/folder_scan.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/picture_list.h"
#include "worker/engine/data/selection.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> NamesOf(const std::vector<ClassFolder>& classes) {
  std::vector<std::string> names;
  for (const ClassFolder& folder : classes) names.push_back(folder.name);
  return names;
}

PictureList ListFiles(const fs::path& root, const std::vector<ClassFolder>& classes) {
  PictureList list;
  list.class_names = NamesOf(classes);
  for (size_t label = 0; label < classes.size(); ++label) {
    for (const std::string& file : classes[label].files) {
      const std::string name = absl::StrCat(classes[label].name, "/", file);
      list.entries.push_back({name, root / name, static_cast<int64_t>(label)});
    }
  }
  return list;
}

// The folder that holds the class folders, and the classes of the training set.
struct Layout {
  fs::path root;
  std::vector<ClassFolder> classes;
  std::vector<std::string> class_names;
};

absl::StatusOr<Layout> FindSplitFolders(const fs::path& root, Split split,
                                        const PathPolicy& policy) {
  QUANTRY_ASSIGN_OR_RETURN(fs::path folder, policy.Resolve(root / "train"));
  QUANTRY_ASSIGN_OR_RETURN(std::vector<ClassFolder> classes, ScanClassFolders(folder, policy));
  std::vector<std::string> names = NamesOf(classes);
  if (split == Split::kTrain) return Layout{folder, std::move(classes), std::move(names)};
  const absl::StatusOr<fs::path> val = policy.Resolve(root / "val");
  if (absl::IsNotFound(val.status())) {
    return absl::NotFoundError(absl::StrCat(
        "folder ", root.string(), " has a folder 'train' and no 'val'; add ",
        (root / "val" / "CLASS").string(), " with pictures, or name an evaluation set"));
  }
  QUANTRY_RETURN_IF_ERROR(val.status());
  QUANTRY_ASSIGN_OR_RETURN(classes, ScanClassFolders(*val, policy));
  return Layout{*val, std::move(classes), std::move(names)};
}

absl::StatusOr<fs::path> ResolveRoot(const DatasetUri& uri, const PathPolicy& policy) {
  QUANTRY_ASSIGN_OR_RETURN(fs::path root, policy.Resolve(uri.path()));
  std::error_code error;
  if (fs::is_directory(root, error)) return root;
  return absl::InvalidArgumentError(
      absl::StrCat(uri.path(), " is not a folder; give the folder that holds a folder per class"));
}

// task=none: every picture below the folder, or below its part of that split.
absl::StatusOr<std::unique_ptr<Dataset>> OpenUnlabelled(const DatasetUri& uri,
                                                        const DatasetOptions& options,
                                                        fs::path root, const PathPolicy& policy) {
  std::error_code error;
  const bool has_splits = uri.Text("split") != "all" && fs::is_directory(root / "train", error) &&
                          fs::is_directory(root / "val", error);
  if (has_splits) {
    if (uri.Has("holdout")) {
      return absl::InvalidArgumentError(
          "dataset URI: parameter 'holdout' has no effect as the folder has 'train' and 'val'; "
          "remove it");
    }
    QUANTRY_ASSIGN_OR_RETURN(
        root, policy.Resolve(root / (options.split == Split::kTrain ? "train" : "val")));
  }
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<std::string> files, ScanPictures(root, policy));
  PictureList list;
  list.kind = TargetKind::kNone;
  for (const std::string& file : files) list.entries.push_back({file, root / file, 0});
  return Select(MakePictureDataset(std::move(list)), uri, options,
                has_splits ? HoldOut::kNone : HoldOutOf(uri));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenImageFolder(const DatasetUri& uri,
                                                         const DatasetOptions& options) {
  const PathPolicy policy(options.allowed_roots);
  QUANTRY_ASSIGN_OR_RETURN(const fs::path root, ResolveRoot(uri, policy));
  if (uri.Text("task") == "none") return OpenUnlabelled(uri, options, root, policy);
  const bool has_splits = uri.Text("split") != "all" && HasFolders(root / "train");
  if (uri.Has("holdout") && has_splits) {
    return absl::InvalidArgumentError(
        "dataset URI: parameter 'holdout' has no effect as the folder has 'train' and 'val'; "
        "remove it");
  }
  Layout layout;
  if (has_splits) {
    QUANTRY_ASSIGN_OR_RETURN(layout, FindSplitFolders(root, options.split, policy));
  } else {
    QUANTRY_ASSIGN_OR_RETURN(layout.classes, ScanClassFolders(root, policy));
    layout.root = root;
    layout.class_names = NamesOf(layout.classes);
  }
  DatasetOptions selection = options;
  if (selection.class_names.empty() && !uri.Has("class_list") && !uri.Has("class_map") &&
      !uri.Has("classes")) {
    selection.class_names = layout.class_names;
  }
  return Select(MakePictureDataset(ListFiles(layout.root, layout.classes)), uri, selection,
                has_splits ? HoldOut::kNone : HoldOutOf(uri));
}

}  // namespace quantry::engine
