#include "worker/engine/data/csv_dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/data/csv_lines.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/picture_list.h"
#include "worker/engine/data/selection.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxListBytes = int64_t{1} << 30;

// Where a line has what is needed.
struct Columns {
  size_t path = 0;
  std::vector<size_t> targets;     // none: unlabelled
  std::vector<std::string> names;  // of the targets
  size_t count = 0;                // fields of every line
};

absl::Status BadLine(const CsvLine& line, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line.number, ": ", what));
}

// The place of the column of that name; absent if there is none.
absl::StatusOr<std::optional<size_t>> FindColumn(const CsvLine& header, absl::string_view name) {
  std::optional<size_t> place;
  for (size_t i = 0; i < header.fields.size(); ++i) {
    if (header.fields[i] != name) continue;
    if (place) return BadLine(header, absl::StrCat("two columns are named '", name, "'"));
    place = i;
  }
  return place;
}

// The columns that the parameter `target` names, else those that the task takes.
std::vector<std::string> TargetNames(const DatasetUri& uri, const CsvLine& header) {
  const std::string task = uri.Text("task");
  if (task == "none") return {};
  if (uri.Has("target")) return absl::StrSplit(uri.Text("target"), ',');
  if (task == "classes") return {"label"};
  std::vector<std::string> names;
  std::copy_if(header.fields.begin(), header.fields.end(), std::back_inserter(names),
               [](const std::string& name) { return name != "path"; });
  return names;
}

absl::StatusOr<Columns> ReadHeader(const DatasetUri& uri, const CsvLine& header) {
  Columns columns;
  columns.count = header.fields.size();
  columns.names = TargetNames(uri, header);
  QUANTRY_ASSIGN_OR_RETURN(const std::optional<size_t> path, FindColumn(header, "path"));
  bool complete = path.has_value();
  for (const std::string& name : columns.names) {
    QUANTRY_ASSIGN_OR_RETURN(const std::optional<size_t> place, FindColumn(header, name));
    complete = complete && place;
    columns.targets.push_back(place.value_or(0));
  }
  if (!complete) {
    return BadLine(header, absl::StrCat("the header must name a column 'path' and ",
                                        columns.names.size() == 1 ? "a column '" : "columns '",
                                        absl::StrJoin(columns.names, "', '"),
                                        "'; where the list has no header, remove header=1"));
  }
  columns.path = *path;
  return columns;
}

// Without a header: the path first, what it is labelled with after it.
Columns PlainColumns(const DatasetUri& uri, const CsvLine& first) {
  Columns columns;
  const std::string task = uri.Text("task");
  columns.count = task == "classes" ? 2 : first.fields.size();
  for (size_t i = 1; i < columns.count && task != "none"; ++i) {
    columns.targets.push_back(i);
    columns.names.push_back(absl::StrCat(i));
  }
  return columns;
}

absl::StatusOr<Columns> ReadColumns(const DatasetUri& uri, const CsvLine& first) {
  const std::string task = uri.Text("task");
  const bool has_header = uri.Integer("header") == 1;
  if (uri.Has("target") && (!has_header || task == "none")) {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI: parameter 'target' has no effect ",
                     has_header ? "with task=none" : "without header=1", "; remove it"));
  }
  Columns columns = PlainColumns(uri, first);
  if (has_header) {
    QUANTRY_ASSIGN_OR_RETURN(columns, ReadHeader(uri, first));
  }
  if (task == "classes" && columns.targets.size() != 1) {
    return absl::InvalidArgumentError(
        "dataset URI: parameter 'target' names several columns, a class stands in one; set "
        "task=labels or task=values");
  }
  if (task != "none" && columns.targets.empty()) {
    return BadLine(first, "has a path alone; add columns to learn, or set task=none");
  }
  return columns;
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

// The numbers of a line, 0 and 1 for labels.
absl::Status ReadNumbers(const CsvLine& line, const Columns& columns, TargetKind kind,
                         std::vector<float>* targets) {
  for (size_t i = 0; i < columns.targets.size(); ++i) {
    const std::string& text = line.fields[columns.targets[i]];
    float value = 0;
    const bool is_number = absl::SimpleAtof(text, &value) && std::isfinite(value);
    const bool is_flag = value == 0.0f || value == 1.0f;
    if (!is_number || (kind == TargetKind::kMultiLabel && !is_flag)) {
      return BadLine(line,
                     absl::StrCat("column '", columns.names[i], "' is '", text, "'; allowed: ",
                                  kind == TargetKind::kMultiLabel ? "0 and 1" : "a number"));
    }
    targets->push_back(value);
  }
  return absl::OkStatus();
}

TargetKind KindOf(const DatasetUri& uri) {
  const std::string task = uri.Text("task");
  if (task == "labels") return TargetKind::kMultiLabel;
  if (task == "values") return TargetKind::kValues;
  return task == "none" ? TargetKind::kNone : TargetKind::kClass;
}

absl::Status CheckFields(const CsvLine& line, const Columns& columns, const DatasetUri& uri) {
  if (line.fields.size() == columns.count) return absl::OkStatus();
  const bool has_header = uri.Integer("header") == 1;
  return BadLine(line,
                 absl::StrCat("has ", line.fields.size(), " fields; expected: ", columns.count,
                              has_header                      ? " as in the header"
                              : uri.Text("task") == "classes" ? ", path and label"
                                                              : " as in the first line"));
}

// The files of the list, and into `labels` their classes as text.
absl::StatusOr<PictureList> ReadEntries(const std::vector<CsvLine>& lines, const DatasetUri& uri,
                                        const fs::path& root, const PathPolicy& policy,
                                        std::vector<std::string>* labels) {
  PictureList list;
  list.kind = KindOf(uri);
  if (lines.empty()) return list;
  QUANTRY_ASSIGN_OR_RETURN(const Columns columns, ReadColumns(uri, lines.front()));
  if (list.kind != TargetKind::kClass) list.class_names = columns.names;
  for (size_t i = uri.Integer("header") == 1 ? 1 : 0; i < lines.size(); ++i) {
    const CsvLine& line = lines[i];
    QUANTRY_RETURN_IF_ERROR(CheckFields(line, columns, uri));
    const std::string& name = line.fields[columns.path];
    const bool has_class = list.kind == TargetKind::kClass;
    if (name.empty() || name.find('\0') != std::string::npos ||
        (has_class && line.fields[columns.targets[0]].empty())) {
      return BadLine(line, "path or label is empty");
    }
    if (uri.remote() && !uri.Has("root") && fs::path(name).is_relative()) {
      return BadLine(line, absl::StrCat("'", name, "' is relative, and a list that was fetched lies "
                                        "in no folder; name the worker's by the parameter 'root'"));
    }
    if (has_class) {
      labels->push_back(line.fields[columns.targets[0]]);
    } else {
      QUANTRY_RETURN_IF_ERROR(ReadNumbers(line, columns, list.kind, &list.targets));
    }
    absl::StatusOr<fs::path> path = policy.Resolve(root / name);
    if (!path.ok()) return WithContext(path.status(), absl::StrCat("line ", line.number));
    list.entries.push_back({name, *std::move(path), 0});
  }
  return list;
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
  absl::StatusOr<PictureList> pictures = ReadEntries(*lines, uri, root, policy, &labels);
  if (!pictures.ok()) return WithContext(pictures.status(), uri.path());
  std::vector<PictureList::Entry>& entries = pictures->entries;
  if (entries.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(uri.path(), " lists no pictures"));
  }
  if (uri.Has("root") && std::all_of(entries.begin(), entries.end(), [](const auto& entry) {
        return fs::path(entry.name).is_absolute();
      })) {
    return absl::InvalidArgumentError(
        "dataset URI: parameter 'root' has no effect as every path of the list is absolute; "
        "remove it");
  }
  if (pictures->kind == TargetKind::kClass) {
    pictures->class_names = ClassesOf(labels);
    std::map<absl::string_view, int64_t> index;
    for (const std::string& name : pictures->class_names) index.emplace(name, index.size());
    for (size_t i = 0; i < labels.size(); ++i) entries[i].label = index.at(labels[i]);
  }
  return Select(MakePictureDataset(*std::move(pictures)), uri, options, HoldOutOf(uri));
}

}  // namespace quantry::engine
