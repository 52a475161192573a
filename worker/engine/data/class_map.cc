#include "worker/engine/data/class_map.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/data/csv_lines.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{16} << 20;
constexpr int64_t kMaxLabel = 1'000'000;

// One line of either form.
struct Entry {
  int64_t line = 0;
  std::string name;
  int64_t label = 0;
  std::string title;  // "": by default
};

absl::Status Bad(int64_t line, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", what));
}

bool IsWholeNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

std::string Trimmed(absl::string_view text) {
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::StatusOr<Entry> ReadFields(const CsvLine& line) {
  Entry entry{.line = line.number};
  if (line.fields.size() < 2 || line.fields.size() > 3) {
    return Bad(line.number, absl::StrCat("has ", line.fields.size(),
                                         " fields; allowed: NAME,LABEL or NAME,LABEL,TITLE"));
  }
  entry.name = Trimmed(line.fields[0]);
  if (entry.name.empty()) return Bad(line.number, "the name is empty");
  const std::string label = Trimmed(line.fields[1]);
  if (!IsWholeNumber(label) || !absl::SimpleAtoi(label, &entry.label) || entry.label > kMaxLabel) {
    return Bad(line.number, absl::StrCat("the label of '", entry.name, "' is '", label,
                                         "'; allowed: a whole number from 0 to ", kMaxLabel));
  }
  if (line.fields.size() == 3) entry.title = Trimmed(line.fields[2]);
  return entry;
}

std::vector<Entry> ReadOrder(absl::string_view text) {
  std::vector<Entry> entries;
  int64_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    entries.push_back({.line = number,
                       .name = std::string(line.substr(0, end)),
                       .label = static_cast<int64_t>(entries.size()),
                       .title = Trimmed(line.substr(end))});
  }
  return entries;
}

absl::StatusOr<std::vector<Entry>> ReadEntries(absl::string_view text) {
  const absl::StatusOr<std::vector<CsvLine>> lines = ParseCsv(text);
  const bool is_table = lines.ok() && !lines->empty() && lines->front().fields.size() >= 2 &&
                        IsWholeNumber(Trimmed(lines->front().fields[1]));
  if (!is_table) return ReadOrder(text);
  std::vector<Entry> entries;
  for (const CsvLine& line : *lines) {
    QUANTRY_ASSIGN_OR_RETURN(Entry entry, ReadFields(line));
    entries.push_back(std::move(entry));
  }
  return entries;
}

// The titles by label; a label that nobody has is an error.
absl::Status SetTitles(const std::vector<Entry>& entries, ClassMap* map) {
  int64_t largest = 0;
  for (const Entry& entry : entries) largest = std::max(largest, entry.label);
  std::vector<const Entry*> named(largest + 1), first(largest + 1);
  for (const Entry& entry : entries) {
    if (first[entry.label] == nullptr) first[entry.label] = &entry;
    if (entry.title.empty()) continue;
    const Entry*& other = named[entry.label];
    if (other != nullptr && other->title != entry.title) {
      return Bad(entry.line, absl::StrCat("label ", entry.label, " is called '", entry.title,
                                          "', in line ", other->line, " '", other->title,
                                          "'; give it one title"));
    }
    other = &entry;
  }
  std::map<std::string, int64_t> seen;
  for (int64_t label = 0; label <= largest; ++label) {
    if (first[label] == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("no name has label ", label, ", and labels go up to ", largest,
                       "; they must count from 0 without a gap"));
    }
    const Entry& entry = named[label] == nullptr ? *first[label] : *named[label];
    std::string title = entry.title.empty() ? entry.name : entry.title;
    // ImageNet has two cranes.
    if (seen.count(title) != 0) absl::StrAppend(&title, " (", first[label]->name, ")");
    const auto [other, is_new] = seen.emplace(title, label);
    if (!is_new) {
      return Bad(entry.line, absl::StrCat("labels ", other->second, " and ", label,
                                          " are both called '", title, "'; tell them apart"));
    }
    map->titles.push_back(std::move(title));
  }
  return absl::OkStatus();
}

absl::StatusOr<ClassMap> Parse(absl::string_view text) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<Entry> entries, ReadEntries(text));
  if (entries.empty()) {
    return absl::InvalidArgumentError("is empty; write a name and its label per line");
  }
  ClassMap map;
  std::map<absl::string_view, int64_t> lines;
  for (const Entry& entry : entries) {
    const auto [other, is_new] = lines.emplace(entry.name, entry.line);
    if (!is_new) {
      return Bad(entry.line, absl::StrCat("'", entry.name, "' is in line ", other->second,
                                          " already; give each name once"));
    }
    map.labels.emplace(entry.name, entry.label);
  }
  QUANTRY_RETURN_IF_ERROR(SetTitles(entries, &map));
  return map;
}

}  // namespace

absl::StatusOr<ClassMap> ReadClassMap(const std::string& path, const PathPolicy& policy) {
  QUANTRY_ASSIGN_OR_RETURN(const std::filesystem::path file, policy.Resolve(path));
  QUANTRY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxFileBytes));
  absl::StatusOr<ClassMap> map = Parse(text);
  if (!map.ok()) return WithContext(map.status(), absl::StrCat("class map ", path));
  return map;
}

}  // namespace quantry::engine
