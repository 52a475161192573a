#include "worker/engine/data/selection.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/nearest_name.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "worker/engine/data/class_map.h"
#include "worker/engine/data/path_policy.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxClassListBytes = int64_t{16} << 20;

constexpr int64_t kLeftOut = -1;  // instead of a label

// Some examples of another dataset, its classes under other labels.
class SelectedDataset : public Dataset {
 public:
  SelectedDataset(std::unique_ptr<Dataset> source, std::vector<std::string> class_names,
                  std::vector<int64_t> labels, std::vector<int64_t> examples)
      : source_(std::move(source)),
        class_names_(std::move(class_names)),
        labels_(std::move(labels)),
        examples_(std::move(examples)) {}

  int64_t size() const override { return static_cast<int64_t>(examples_.size()); }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::optional<int> native_size() const override { return source_->native_size(); }
  bool mirrors_well() const override { return source_->mirrors_well(); }
  TargetKind target_kind() const override { return source_->target_kind(); }
  int64_t Label(int64_t index) const override {
    return labels_.empty() ? 0 : labels_[source_->Label(examples_[index])];
  }
  absl::Span<const float> Targets(int64_t index) const override {
    return source_->Targets(examples_[index]);
  }
  absl::Span<const ArraySpec> arrays() const override { return source_->arrays(); }
  absl::Status ReadArrays(int64_t index, absl::Span<char* const> rows) const override {
    return source_->ReadArrays(examples_[index], rows);
  }
  std::string Name(int64_t index) const override { return source_->Name(examples_[index]); }

  absl::StatusOr<Picture> Get(int64_t index) const override {
    QUANTRY_ASSIGN_OR_RETURN(Picture picture, source_->Get(examples_[index]));
    picture.label = Label(index);
    return picture;
  }

 private:
  const std::unique_ptr<Dataset> source_;
  const std::vector<std::string> class_names_;
  const std::vector<int64_t> labels_;    // by label of the source; empty: no classes
  const std::vector<int64_t> examples_;  // indices into the source, ascending
};

// `examples` in the order of their names' hashes: as good as random, and the same everywhere.
std::vector<int64_t> ByHash(const Dataset& source, const std::vector<int64_t>& examples,
                            int64_t seed) {
  const std::string salt = seed == 0 ? "" : absl::StrCat(seed, ":");
  std::vector<std::pair<std::string, int64_t>> ranked;
  ranked.reserve(examples.size());
  for (const int64_t example : examples) {
    ranked.emplace_back(Sha256Hex(absl::StrCat(salt, source.Name(example))), example);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<int64_t> ordered;
  ordered.reserve(examples.size());
  for (const auto& [hash, example] : ranked) ordered.push_back(example);
  return ordered;
}

std::vector<int64_t> TakeShare(const Dataset& source, const std::vector<int64_t>& examples,
                               double holdout, int64_t seed, Split split) {
  const bool has_classes = source.target_kind() == TargetKind::kClass;
  std::vector<std::vector<int64_t>> by_class(has_classes ? source.class_names().size() : 1);
  for (const int64_t example : ByHash(source, examples, seed)) {
    by_class[source.Label(example)].push_back(example);
  }
  std::vector<int64_t> taken;
  for (const std::vector<int64_t>& of_class : by_class) {
    const auto n = static_cast<int64_t>(of_class.size());
    const auto wanted = static_cast<int64_t>(std::floor(holdout * static_cast<double>(n) + 0.5));
    const int64_t held = n < 2 ? 0 : std::clamp<int64_t>(wanted, 1, n - 1);
    const auto cut = of_class.begin() + held;
    taken.insert(taken.end(), split == Split::kVal ? of_class.begin() : cut,
                 split == Split::kVal ? cut : of_class.end());
  }
  std::sort(taken.begin(), taken.end());
  return taken;
}

// The lines of a text file, one class each; an empty line at the end is none.
absl::StatusOr<std::vector<std::string>> ReadClassList(const std::string& path,
                                                       const PathPolicy& policy) {
  QUANTRY_ASSIGN_OR_RETURN(const std::filesystem::path file, policy.Resolve(path));
  QUANTRY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxClassListBytes));
  std::vector<std::string> names;
  std::set<absl::string_view> seen;
  for (const absl::string_view line :
       absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    names.emplace_back(absl::StripAsciiWhitespace(line));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty() && seen.insert(names[i]).second) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "class list ", path, ", line ", i + 1,
        names[i].empty() ? ": is empty" : absl::StrCat(": '", names[i], "' is there twice"),
        "; write one class per line, each once"));
  }
  return names;
}

// The classes of the parameter `classes`, in its order.
absl::StatusOr<std::vector<std::string>> NamedClasses(const Dataset& source, const DatasetUri& uri,
                                                      const DatasetOptions& options) {
  const std::vector<std::string>& known = source.class_names();
  std::vector<std::string> named = absl::StrSplit(uri.Text("classes"), ',');
  for (size_t i = 0; i < named.size(); ++i) {
    const bool twice = std::find(named.begin(), named.begin() + i, named[i]) != named.begin() + i;
    if (!twice && std::find(known.begin(), known.end(), named[i]) != known.end()) continue;
    const std::vector<absl::string_view> names(known.begin(), known.end());
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI: parameter 'classes' names '", named[i],
                     twice ? "' twice; name it once" : "', which is no class of ",
                     twice ? "" : uri.path(), twice ? "" : DidYouMean(named[i], names)));
  }
  if (options.class_names.empty() || options.class_names == named) return named;
  return absl::InvalidArgumentError(
      absl::StrCat("dataset URI: parameter 'classes' is '", uri.Text("classes"),
                   "', but the training set has the classes ",
                   absl::StrJoin(options.class_names, ","), "; give both the same"));
}

// At most one of the parameters that say what classes there are.
absl::Status CheckClassParameters(const DatasetUri& uri) {
  absl::string_view first;
  for (const absl::string_view key : {"classes", "class_list", "class_map"}) {
    if (!uri.Has(key)) continue;
    if (!first.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("dataset URI: both '", first, "' and '", key,
                                                     "' are given; only one may be"));
    }
    first = key;
  }
  return absl::OkStatus();
}

// Every class under its own name.
ClassMap ByName(std::vector<std::string> names) {
  ClassMap map{.titles = std::move(names)};
  for (size_t i = 0; i < map.titles.size(); ++i) map.labels.emplace(map.titles[i], i);
  return map;
}

// The file that a parameter names, which must agree with the training set.
absl::StatusOr<ClassMap> FromFile(absl::string_view key, const DatasetUri& uri,
                                  const DatasetOptions& options) {
  const PathPolicy policy(options.allowed_roots);
  const std::string path = uri.Text(key);
  ClassMap map;
  if (key == "class_map") {
    QUANTRY_ASSIGN_OR_RETURN(map, ReadClassMap(path, policy));
  } else {
    QUANTRY_ASSIGN_OR_RETURN(std::vector<std::string> names, ReadClassList(path, policy));
    map = ByName(std::move(names));
  }
  if (options.class_names.empty() || options.class_names == map.titles) return map;
  return absl::InvalidArgumentError(
      absl::StrCat(key == "class_map" ? "class map " : "class list ", path,
                   " does not hold the classes of the training set; ",
                   key == "class_map" ? "give both sets the same 'class_map'"
                                      : "remove the parameter 'class_list' from the evaluation set"));
}

// The classes that labels are to count.
absl::StatusOr<ClassMap> TargetClasses(const Dataset& source, const DatasetUri& uri,
                                       const DatasetOptions& options) {
  QUANTRY_RETURN_IF_ERROR(CheckClassParameters(uri));
  for (const absl::string_view key : {"class_list", "class_map"}) {
    if (uri.Has(key)) return FromFile(key, uri, options);
  }
  if (!uri.Has("classes")) {
    return ByName(options.class_names.empty() ? source.class_names() : options.class_names);
  }
  QUANTRY_ASSIGN_OR_RETURN(std::vector<std::string> named, NamedClasses(source, uri, options));
  return ByName(std::move(named));
}

absl::StatusOr<std::vector<int64_t>> MapLabels(const Dataset& source, const DatasetUri& uri,
                                               const ClassMap& classes) {
  std::vector<int64_t> labels;
  for (const std::string& name : source.class_names()) {
    const auto found = classes.labels.find(name);
    if (found != classes.labels.end()) {
      labels.push_back(found->second);
      continue;
    }
    if (uri.Has("classes")) {
      labels.push_back(kLeftOut);
      continue;
    }
    std::vector<absl::string_view> known;
    for (const auto& [other, label] : classes.labels) known.push_back(other);
    return absl::InvalidArgumentError(absl::StrCat(
        "class '", name, "' of ", uri.path(), " is not among the ",
        uri.Has("class_map")    ? absl::StrCat("names of the class map ", uri.Text("class_map"))
        : uri.Has("class_list") ? std::string("classes of the class list")
                                : std::string("classes of the training set"),
        DidYouMean(name, known), "; remove it or add the class there"));
  }
  return labels;
}

absl::Status CheckClasses(const std::vector<std::string>& classes, const DatasetUri& uri) {
  if (classes.size() >= 2) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(uri.path(), " has one class, '",
                                                 absl::StrJoin(classes, ""),
                                                 "'; a classifier needs two or more"));
}

// Labels and values have the names that the source gives them, in its order.
absl::Status CheckNames(const Dataset& source, const DatasetUri& uri,
                        const DatasetOptions& options) {
  for (const absl::string_view key : {"class_list", "class_map", "classes"}) {
    if (!uri.Has(key)) continue;
    return absl::InvalidArgumentError(absl::StrCat("dataset URI: parameter '", key,
                                                   "' has no effect as ", uri.path(),
                                                   " is not labelled with classes; remove it"));
  }
  if (options.class_names.empty() || options.class_names == source.class_names()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(uri.path(), " is labelled with ", absl::StrJoin(source.class_names(), ", "),
                   ", the training set with ", absl::StrJoin(options.class_names, ", "),
                   "; give both the same columns"));
}

// Which examples of `source` are used, ascending.
absl::StatusOr<std::vector<int64_t>> ChooseExamples(const Dataset& source, const DatasetUri& uri,
                                                    const DatasetOptions& options,
                                                    const std::vector<int64_t>& labels,
                                                    HoldOut hold_out) {
  const int64_t seed = uri.Integer("split_seed");
  std::vector<int64_t> examples;
  for (int64_t i = 0; i < source.size(); ++i) {
    if (labels.empty() || labels[source.Label(i)] != kLeftOut) examples.push_back(i);
  }
  if (hold_out == HoldOut::kShare) {
    examples = TakeShare(source, examples, uri.Number("holdout"), seed, options.split);
  }
  if (examples.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(uri.path(),
                     " has too few pictures to hold one out; give each class two or "
                     "more, or name an evaluation set"));
  }
  const auto count = static_cast<int64_t>(examples.size());
  const auto share =
      static_cast<int64_t>(std::floor(uri.Number("fraction") * static_cast<double>(count) + 0.5));
  const int64_t kept = std::min(uri.Integer("limit"), std::max<int64_t>(share, 1));
  if (kept < count) {
    examples = ByHash(source, examples, seed);
    examples.resize(kept);
    std::sort(examples.begin(), examples.end());
  }
  return examples;
}

}  // namespace

HoldOut HoldOutOf(const DatasetUri& uri) {
  return uri.Text("split") == "all" ? HoldOut::kNone : HoldOut::kShare;
}

std::vector<std::string> ClassesOf(absl::Span<const std::string> labels) {
  constexpr size_t kMaxDigits = 9;
  const std::set<std::string> distinct(labels.begin(), labels.end());
  std::vector<std::string> classes(distinct.begin(), distinct.end());
  const bool all_numbers = std::all_of(classes.begin(), classes.end(), [](const std::string& name) {
    return !name.empty() && name.size() <= kMaxDigits && (name.size() == 1 || name[0] != '0') &&
           std::all_of(name.begin(), name.end(), absl::ascii_isdigit);
  });
  if (all_numbers) {
    // Without leading zeros the longer number is the larger one; the rest is bytewise.
    std::stable_sort(
        classes.begin(), classes.end(),
        [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
  }
  return classes;
}

absl::StatusOr<std::unique_ptr<Dataset>> Select(std::unique_ptr<Dataset> source,
                                                const DatasetUri& uri,
                                                const DatasetOptions& options, HoldOut hold_out) {
  std::vector<std::string> classes = source->class_names();
  std::vector<int64_t> labels;
  if (source->target_kind() == TargetKind::kClass) {
    QUANTRY_ASSIGN_OR_RETURN(ClassMap target, TargetClasses(*source, uri, options));
    QUANTRY_RETURN_IF_ERROR(CheckClasses(target.titles, uri));
    QUANTRY_ASSIGN_OR_RETURN(labels, MapLabels(*source, uri, target));
    classes = std::move(target.titles);
  } else {
    QUANTRY_RETURN_IF_ERROR(CheckNames(*source, uri, options));
  }
  QUANTRY_ASSIGN_OR_RETURN(std::vector<int64_t> examples,
                           ChooseExamples(*source, uri, options, labels, hold_out));
  return std::make_unique<SelectedDataset>(std::move(source), std::move(classes), std::move(labels),
                                           std::move(examples));
}

}  // namespace quantry::engine
