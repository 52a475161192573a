#include "worker/engine/data/image_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "worker/engine/data/folder_scan.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/picture_codec.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr uintmax_t kMaxFileBytes = uintmax_t{256} << 20;
constexpr absl::string_view kParameters[] = {"holdout", "split"};
constexpr absl::string_view kSplits[] = {"auto", "all"};

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
    const fs::path path = root_ / entry.name;
    std::error_code error;
    const uintmax_t bytes = fs::file_size(path, error);
    if (!error && bytes > kMaxFileBytes) {
      return absl::DataLossError(absl::StrCat(entry.name, ": the file has ", bytes,
                                              " bytes; allowed: up to ", kMaxFileBytes));
    }
    QUANTRY_ASSIGN_OR_RETURN(const std::string file, ReadFile(path, kMaxFileBytes));
    absl::StatusOr<Picture> picture = DecodePicture(file, entry.label);
    if (!picture.ok()) return WithContext(picture.status(), entry.name);
    return picture;
  }

 private:
  const fs::path root_;
  const std::vector<std::string> class_names_;
  const std::vector<Entry> entries_;
};

// Keeps the part of a class's files that belongs to `split`, sorted.
std::vector<std::string> TakeSplit(const ClassFolder& folder, Split split, double holdout) {
  std::vector<std::pair<std::string, std::string>> ranked;  // (hash, file)
  for (const std::string& file : folder.files) {
    ranked.emplace_back(Sha256Hex(absl::StrCat(folder.name, "/", file)), file);
  }
  std::sort(ranked.begin(), ranked.end());
  const auto n = static_cast<int64_t>(ranked.size());
  const auto wanted = static_cast<int64_t>(std::floor(holdout * static_cast<double>(n) + 0.5));
  const int64_t held = n < 2 ? 0 : std::clamp<int64_t>(wanted, 1, n - 1);
  std::vector<std::string> files;
  for (int64_t i = 0; i < n; ++i) {
    if ((i < held) == (split == Split::kVal)) files.push_back(std::move(ranked[i].second));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> NamesOf(const std::vector<ClassFolder>& classes) {
  std::vector<std::string> names;
  for (const ClassFolder& folder : classes) names.push_back(folder.name);
  return names;
}

// Labels every file by its class's place in `class_names`.
absl::StatusOr<std::vector<Entry>> LabelFiles(const std::vector<ClassFolder>& classes,
                                              const std::vector<std::string>& class_names,
                                              const fs::path& root) {
  std::vector<Entry> entries;
  for (const ClassFolder& folder : classes) {
    const auto found = std::find(class_names.begin(), class_names.end(), folder.name);
    if (found == class_names.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "class folder ", (root / folder.name).string(),
          " is not among the classes of the training set; remove it or add the class there"));
    }
    for (const std::string& file : folder.files) {
      entries.push_back({absl::StrCat(folder.name, "/", file), found - class_names.begin()});
    }
  }
  if (entries.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", root.string(), " has too few pictures to hold one out; give each ",
                     "class two or more, or name an evaluation set"));
  }
  return entries;
}

// The folder that holds the class folders, and the classes that labels count.
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
  if (uri.path().empty() || uri.path().front() != '/') {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI file://", uri.path(),
                     " must name a folder of the worker by its absolute path: file:///path"));
  }
  QUANTRY_ASSIGN_OR_RETURN(fs::path root, policy.Resolve(uri.path()));
  std::error_code error;
  if (fs::is_directory(root, error)) return root;
  return absl::InvalidArgumentError(
      absl::StrCat(uri.path(), " is not a folder; give the folder that holds a folder per class"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenImageFolder(const DatasetUri& uri,
                                                         const DatasetOptions& options) {
  QUANTRY_RETURN_IF_ERROR(uri.CheckParameters(kParameters));
  QUANTRY_ASSIGN_OR_RETURN(const double holdout, uri.Number("holdout", 0.1, 0.001, 0.999));
  QUANTRY_ASSIGN_OR_RETURN(const std::string split, uri.Choice("split", kSplits));
  const PathPolicy policy(options.allowed_roots);
  QUANTRY_ASSIGN_OR_RETURN(const fs::path root, ResolveRoot(uri, policy));

  const bool has_splits = split != "all" && HasFolders(root / "train");
  if (uri.Has("holdout") && (has_splits || split == "all")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "dataset URI: parameter 'holdout' has no effect ",
        split == "all" ? "with split=all" : "as the folder has 'train' and 'val'", "; remove it"));
  }
  Layout layout;
  if (has_splits) {
    QUANTRY_ASSIGN_OR_RETURN(layout, FindSplitFolders(root, options.split, policy));
  } else {
    QUANTRY_ASSIGN_OR_RETURN(layout.classes, ScanClassFolders(root, policy));
    layout.root = root;
    layout.class_names = NamesOf(layout.classes);
    if (split != "all") {
      for (ClassFolder& folder : layout.classes) {
        folder.files = TakeSplit(folder, options.split, holdout);
      }
    }
  }
  if (!options.class_names.empty()) layout.class_names = options.class_names;
  if (layout.class_names.size() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", layout.root.string(), " has one class, '", layout.class_names[0],
                     "'; a classifier needs two class folders or more"));
  }
  QUANTRY_ASSIGN_OR_RETURN(std::vector<Entry> entries,
                           LabelFiles(layout.classes, layout.class_names, layout.root));
  return std::make_unique<ImageFolder>(std::move(layout.root), std::move(layout.class_names),
                                       std::move(entries));
}

}  // namespace quantry::engine
