#include "worker/engine/data/image_folder.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/data/folder_scan.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/picture_file.h"
#include "worker/engine/data/selection.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string name;  // CLASS/FILE
  int64_t label;
};

class ImageFolder : public Dataset {
 public:
  ImageFolder(fs::path root, std::vector<std::string> class_names, std::vector<Entry> entries)
      : root_(std::move(root)),
        class_names_(std::move(class_names)),
        entries_(std::move(entries)) {}

  int64_t size() const override { return static_cast<int64_t>(entries_.size()); }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::optional<int> native_size() const override { return std::nullopt; }
  bool mirrors_well() const override { return true; }
  int64_t Label(int64_t index) const override { return entries_[index].label; }
  std::string Name(int64_t index) const override { return entries_[index].name; }

  absl::StatusOr<Picture> Get(int64_t index) const override {
    const Entry& entry = entries_[index];
    return ReadPictureFile(root_ / entry.name, entry.name, entry.label);
  }

 private:
  const fs::path root_;
  const std::vector<std::string> class_names_;
  const std::vector<Entry> entries_;
};

std::vector<std::string> NamesOf(const std::vector<ClassFolder>& classes) {
  std::vector<std::string> names;
  for (const ClassFolder& folder : classes) names.push_back(folder.name);
  return names;
}

std::vector<Entry> ListFiles(const std::vector<ClassFolder>& classes) {
  std::vector<Entry> entries;
  for (size_t label = 0; label < classes.size(); ++label) {
    for (const std::string& file : classes[label].files) {
      entries.push_back(
          {absl::StrCat(classes[label].name, "/", file), static_cast<int64_t>(label)});
    }
  }
  return entries;
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

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenImageFolder(const DatasetUri& uri,
                                                         const DatasetOptions& options) {
  const PathPolicy policy(options.allowed_roots);
  QUANTRY_ASSIGN_OR_RETURN(const fs::path root, ResolveRoot(uri, policy));
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
  if (selection.class_names.empty() && !uri.Has("class_list")) {
    selection.class_names = layout.class_names;
  }
  auto all = std::make_unique<ImageFolder>(layout.root, NamesOf(layout.classes),
                                           ListFiles(layout.classes));
  return Select(std::move(all), uri, selection, has_splits ? HoldOut::kNone : HoldOutOf(uri));
}

}  // namespace quantry::engine
