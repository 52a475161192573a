#include "common/dataset_uri.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/nearest_name.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace quantry {
namespace {

absl::StatusOr<std::string> DecodePercent(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(text[i + 1]) ||
        !absl::ascii_isxdigit(text[i + 2])) {
      return absl::InvalidArgumentError(
          absl::StrCat("dataset URI: '%' in '", text,
                       "' must be followed by two hex digits; write %25 for '%'"));
    }
    decoded.append(absl::HexStringToBytes(text.substr(i + 1, 2)));
    i += 2;
  }
  if (decoded.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("dataset URI: %00 is not allowed");
  }
  return decoded;
}

// Says what `text` must be, or "" if it is that; one overload per kind of parameter.
std::string Complaint(const WholeNumber& range, const std::string& text) {
  int64_t value = 0;
  if (absl::SimpleAtoi(text, &value) && value >= range.low && value <= range.high) return "";
  return absl::StrCat("a whole number from ", range.low, " to ", range.high);
}

std::string Complaint(const RealNumber& range, const std::string& text) {
  double value = 0;
  if (absl::SimpleAtod(text, &value) && value >= range.low && value <= range.high) return "";
  return absl::StrCat("a number from ", range.low, " to ", range.high);
}

std::string Complaint(const OneOf& choice, const std::string& text) {
  for (const absl::string_view name : choice.names) {
    if (text == name) return "";
  }
  return absl::StrJoin(choice.names, ", ");
}

std::string Complaint(const FreeText&, const std::string& text) {
  return text.empty() ? "any text that is not empty" : "";
}

std::string Complaint(const HexDigest&, const std::string& text) {
  return IsSha256Hex(text) ? "" : "a SHA-256 as 64 lower-case hex digits";
}

}  // namespace

absl::StatusOr<DatasetUri> DatasetUri::Parse(absl::string_view text) {
  const size_t colon = text.find("://");
  if (colon == absl::string_view::npos || colon == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI '", text.substr(0, 120),
                     "' has no scheme; write file:///path/to/folder or "
                     "synthetic://glyphs"));
  }
  DatasetUri uri;
  const absl::string_view scheme = text.substr(0, colon);
  uri.scheme_ = FindDatasetScheme(scheme);
  const RemoteScheme* const remote = FindRemoteScheme(scheme);
  if (uri.scheme_ == nullptr && remote == nullptr) {
    const std::vector<absl::string_view> names = DatasetSchemeNames();
    return absl::InvalidArgumentError(absl::StrCat(
        "dataset URI '", text.substr(0, 120), "': unknown scheme '", scheme.substr(0, 40), "'",
        DidYouMean(scheme, names), "; allowed: ", absl::StrJoin(names, ", ")));
  }
  const absl::string_view rest = text.substr(colon + 3);
  const size_t question = rest.find('?');
  const absl::string_view place = rest.substr(0, question);
  if (question != absl::string_view::npos) {
    QUANTRY_RETURN_IF_ERROR(uri.ReadParameters(rest.substr(question + 1)));
  }
  if (remote != nullptr) {
    QUANTRY_RETURN_IF_ERROR(uri.ReadRemote(*remote, place));
  } else {
    QUANTRY_ASSIGN_OR_RETURN(uri.path_, DecodePercent(place));
    QUANTRY_RETURN_IF_ERROR(uri.CheckPath());
  }
  QUANTRY_RETURN_IF_ERROR(uri.CheckParameters());
  QUANTRY_RETURN_IF_ERROR(uri.CheckEffects());
  return uri;
}

absl::Status DatasetUri::ReadRemote(const RemoteScheme& scheme, absl::string_view rest) {
  const size_t slash = std::min(rest.find('/'), rest.size());
  QUANTRY_ASSIGN_OR_RETURN(path_, DecodePercent(rest.substr(slash)));
  QUANTRY_ASSIGN_OR_RETURN(remote_, MakeRemoteLocation(scheme, rest.substr(0, slash), path_));
  path_ = remote_->path;
  const std::string* const given = Find("format");
  QUANTRY_ASSIGN_OR_RETURN(const RemoteFormat format,
                           FormatOf(*remote_, given == nullptr ? "auto" : *given));
  scheme_ = FindDatasetScheme(format.scheme);
  folder_endings_ = format.folder_endings;
  return absl::OkStatus();
}

DatasetUri DatasetUri::FetchedTo(std::string path) const {
  DatasetUri fetched = *this;
  fetched.path_ = std::move(path);
  return fetched;
}

absl::Status DatasetUri::ReadParameters(absl::string_view query) {
  for (const absl::string_view item : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    const size_t equals = item.find('=');
    if (equals == absl::string_view::npos || equals == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("dataset URI: parameter '", item, "' must be written key=value"));
    }
    QUANTRY_ASSIGN_OR_RETURN(std::string value, DecodePercent(item.substr(equals + 1)));
    const std::string key(item.substr(0, equals));
    if (!parameters_.emplace(key, std::move(value)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("dataset URI: parameter '", key, "' is given twice; give it once"));
    }
  }
  return absl::OkStatus();
}

absl::Status DatasetUri::CheckPath() const {
  if (!scheme_->fixed_path.empty()) {
    if (path_ == scheme_->fixed_path) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("dataset URI ", scheme_->name, "://", path_,
                                                   " is unknown; allowed: ", scheme_->form));
  }
  if (!path_.empty() && path_.front() == '/') return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("dataset URI ", scheme_->name, "://", path_,
                   " must name what it reads by an absolute path on the worker: ", scheme_->form));
}

absl::Status DatasetUri::CheckParameters() const {
  std::vector<absl::string_view> known;
  for (const DatasetParameter& parameter : scheme_->parameters) known.push_back(parameter.name);
  if (remote_) {
    for (const DatasetParameter& parameter : RemoteParameters()) known.push_back(parameter.name);
  }
  for (const auto& [key, value] : parameters_) {
    const DatasetParameter* const found = FindParameter(key);
    if (found == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("dataset URI: unknown parameter '", key, "'",
                                                     DidYouMean(key, known),
                                                     "; allowed: ", absl::StrJoin(known, ", ")));
    }
    const std::string allowed = std::visit(
        [&text = value](const auto& kind) { return Complaint(kind, text); }, found->value);
    if (allowed.empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI: parameter '", key, "' is '", value, "'; allowed: ", allowed));
  }
  return absl::OkStatus();
}

absl::Status DatasetUri::CheckEffects() const {
  if (remote_ && Has("sha256") && (remote_->is_prefix() || remote_->is_range())) {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI: parameter 'sha256' is of one object, and ",
                     remote_->ToString(), " names several; remove it"));
  }
  if (!Has("holdout") || !Has("split") || Text("split") != "all") return absl::OkStatus();
  return absl::InvalidArgumentError(
      "dataset URI: parameter 'holdout' has no effect with split=all; remove it");
}

const std::string* DatasetUri::Find(absl::string_view key) const {
  const auto found = parameters_.find(key);
  return found == parameters_.end() ? nullptr : &found->second;
}

const DatasetParameter* DatasetUri::FindParameter(absl::string_view key) const {
  for (const DatasetParameter& parameter : scheme_->parameters) {
    if (parameter.name == key) return &parameter;
  }
  if (!remote_) return nullptr;
  for (const DatasetParameter& parameter : RemoteParameters()) {
    if (parameter.name == key) return &parameter;
  }
  return nullptr;
}

const DatasetParameter& DatasetUri::ParameterOf(absl::string_view key) const {
  if (const DatasetParameter* const parameter = FindParameter(key)) return *parameter;
  return scheme_->parameters.at(scheme_->parameters.size());  // throws: a mistake in a reader
}

int64_t DatasetUri::Integer(absl::string_view key) const {
  const auto& range = std::get<WholeNumber>(ParameterOf(key).value);
  int64_t value = range.fallback;
  if (const std::string* text = Find(key)) static_cast<void>(absl::SimpleAtoi(*text, &value));
  return value;
}

double DatasetUri::Number(absl::string_view key) const {
  const auto& range = std::get<RealNumber>(ParameterOf(key).value);
  double value = range.fallback;
  if (const std::string* text = Find(key)) static_cast<void>(absl::SimpleAtod(*text, &value));
  return value;
}

std::string DatasetUri::Text(absl::string_view key) const {
  if (const std::string* text = Find(key)) return *text;
  const auto* choice = std::get_if<OneOf>(&ParameterOf(key).value);
  return choice == nullptr ? "" : std::string(choice->names.front());
}

}  // namespace quantry
