#include "worker/engine/data/csv_dataset.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/data/csv_lines.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/picture_file.h"
#include "worker/engine/data/selection.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxListBytes = int64_t{1} << 30;

struct Entry {
  std::string name;  // as the list has it
  fs::path path;     // resolved
  int64_t label;
};

class CsvPictures : public Dataset {
 public:
  CsvPictures(std::vector<std::string> class_names, std::vector<Entry> entries)
      : class_names_(std::move(class_names)), entries_(std::move(entries)) {}

  int64_t size() const override { return static_cast<int64_t>(entries_.size()); }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::optional<int> native_size() const override { return std::nullopt; }
  bool mirrors_well() const override { return true; }
  int64_t Label(int64_t index) const override { return entries_[index].label; }
  std::string Name(int64_t index) const override { return entries_[index].name; }

  absl::StatusOr<Picture> Get(int64_t index) const override {
    const Entry& entry = entries_[index];
    return ReadPictureFile(entry.path, entry.name, entry.label);
  }

 private:
  const std::vector<std::string> class_names_;
  const std::vector<Entry> entries_;
};

// Where a line has what is needed.
struct Columns {
  size_t path = 0;
  size_t label = 1;
  size_t count = 2;
};

absl::Status BadLine(const CsvLine& line, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line.number, ": ", what));
}

absl::StatusOr<Columns> ReadHeader(const CsvLine& line) {
  Columns columns{line.fields.size(), line.fields.size(), line.fields.size()};
  for (size_t i = 0; i < line.fields.size(); ++i) {
    for (auto [name, place] : {std::pair("path", &columns.path), {"label", &columns.label}}) {
      if (line.fields[i] != name) continue;
      if (*place != columns.count) {
        return BadLine(line, absl::StrCat("two columns are named '", name, "'"));
      }
      *place = i;
    }
  }
  if (columns.path < columns.count && columns.label < columns.count) return columns;
  return BadLine(line,
                 "the header must name a column 'path' and a column 'label'; where the list has "
                 "no header, remove header=1");
}

absl::StatusOr<fs::path> RootOf(const DatasetUri& uri, const fs::path& list,
                                const PathPolicy& policy) {
  if (!uri.Has("root")) return list.parent_path();
  const fs::path root = uri.Text("root");
  if (root.is_relative()) {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI: parameter 'root' is '", root.string(),
                     "'; allowed: the absolute path of a folder on the worker"));
  }
  QUANTRY_ASSIGN_OR_RETURN(fs::path real, policy.Resolve(root));
  std::error_code error;
  if (fs::is_directory(real, error)) return real;
  return absl::InvalidArgumentError(
      absl::StrCat("dataset URI: parameter 'root': ", root.string(), " is not a folder"));
}

// The files of the list, and into `labels` their labels.
absl::StatusOr<std::vector<Entry>> ReadEntries(const std::vector<CsvLine>& lines, bool has_header,
                                               const fs::path& root, const PathPolicy& policy,
                                               std::vector<std::string>* labels) {
  Columns columns;
  if (has_header && !lines.empty()) {
    QUANTRY_ASSIGN_OR_RETURN(columns, ReadHeader(lines.front()));
  }
  std::vector<Entry> entries;
  for (size_t i = has_header ? 1 : 0; i < lines.size(); ++i) {
    const CsvLine& line = lines[i];
    if (line.fields.size() != columns.count) {
      return BadLine(line,
                     absl::StrCat("has ", line.fields.size(), " fields; expected: ", columns.count,
                                  has_header ? " as in the header" : ", path and label"));
    }
    const std::string& name = line.fields[columns.path];
    const std::string& label = line.fields[columns.label];
    if (name.empty() || label.empty() || name.find('\0') != std::string::npos) {
      return BadLine(line, "path or label is empty");
    }
    absl::StatusOr<fs::path> path = policy.Resolve(root / name);
    if (!path.ok()) return WithContext(path.status(), absl::StrCat("line ", line.number));
    entries.push_back({name, *std::move(path), 0});
    labels->push_back(label);
  }
  return entries;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenCsv(const DatasetUri& uri,
                                                 const DatasetOptions& options) {
  const PathPolicy policy(options.allowed_roots);
  QUANTRY_ASSIGN_OR_RETURN(const fs::path list, policy.Resolve(uri.path()));
  QUANTRY_ASSIGN_OR_RETURN(const fs::path root, RootOf(uri, list, policy));
  QUANTRY_ASSIGN_OR_RETURN(const std::string text, ReadFile(list, kMaxListBytes));
  const absl::StatusOr<std::vector<CsvLine>> lines = ParseCsv(text);
  if (!lines.ok()) return WithContext(lines.status(), uri.path());
  std::vector<std::string> labels;
  absl::StatusOr<std::vector<Entry>> entries =
      ReadEntries(*lines, uri.Integer("header") == 1, root, policy, &labels);
  if (!entries.ok()) return WithContext(entries.status(), uri.path());
  if (entries->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(uri.path(), " lists no pictures"));
  }
  if (uri.Has("root") && std::all_of(entries->begin(), entries->end(), [](const Entry& entry) {
        return fs::path(entry.name).is_absolute();
      })) {
    return absl::InvalidArgumentError(
        "dataset URI: parameter 'root' has no effect as every path of the list is absolute; "
        "remove it");
  }
  std::vector<std::string> classes = ClassesOf(labels);
  std::map<absl::string_view, int64_t> index;
  for (const std::string& name : classes) index.emplace(name, index.size());
  for (size_t i = 0; i < labels.size(); ++i) (*entries)[i].label = index.at(labels[i]);
  return Select(std::make_unique<CsvPictures>(std::move(classes), *std::move(entries)), uri,
                options, HoldOutOf(uri));
}

}  // namespace quantry::engine
