#include "worker/engine/data/dataset_uri.h"

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
#include "common/status_macros.h"

namespace quantry::engine {
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

}  // namespace

absl::StatusOr<DatasetUri> DatasetUri::Parse(absl::string_view text) {
  const size_t colon = text.find("://");
  if (colon == absl::string_view::npos || colon == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI '", text,
                     "' has no scheme; write file:///path/to/folder or "
                     "synthetic://glyphs"));
  }
  DatasetUri uri;
  uri.scheme_ = std::string(text.substr(0, colon));
  const absl::string_view rest = text.substr(colon + 3);
  const size_t question = rest.find('?');
  QUANTRY_ASSIGN_OR_RETURN(uri.path_, DecodePercent(rest.substr(0, question)));
  if (question == absl::string_view::npos) return uri;
  for (const absl::string_view item :
       absl::StrSplit(rest.substr(question + 1), '&', absl::SkipEmpty())) {
    const size_t equals = item.find('=');
    if (equals == absl::string_view::npos || equals == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("dataset URI: parameter '", item, "' must be written key=value"));
    }
    QUANTRY_ASSIGN_OR_RETURN(std::string value, DecodePercent(item.substr(equals + 1)));
    const std::string key(item.substr(0, equals));
    if (!uri.parameters_.emplace(key, std::move(value)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("dataset URI: parameter '", key, "' is given twice; give it once"));
    }
  }
  return uri;
}

absl::Status DatasetUri::CheckParameters(absl::Span<const absl::string_view> known) const {
  for (const auto& [key, value] : parameters_) {
    bool found = false;
    for (const absl::string_view name : known) found = found || name == key;
    if (found) continue;
    return absl::InvalidArgumentError(absl::StrCat("dataset URI: unknown parameter '", key, "'",
                                                   DidYouMean(key, known),
                                                   "; allowed: ", absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

const std::string* DatasetUri::Find(absl::string_view key) const {
  const auto found = parameters_.find(key);
  return found == parameters_.end() ? nullptr : &found->second;
}

absl::Status DatasetUri::BadValue(absl::string_view key, absl::string_view allowed) const {
  return absl::InvalidArgumentError(
      absl::StrCat("dataset URI: parameter '", key, "' is '", *Find(key), "'; allowed: ", allowed));
}

absl::StatusOr<int64_t> DatasetUri::Integer(absl::string_view key, int64_t fallback, int64_t low,
                                            int64_t high) const {
  const std::string* const text = Find(key);
  if (text == nullptr) return fallback;
  int64_t value = 0;
  if (absl::SimpleAtoi(*text, &value) && value >= low && value <= high) return value;
  return BadValue(key, absl::StrCat("a whole number from ", low, " to ", high));
}

absl::StatusOr<double> DatasetUri::Number(absl::string_view key, double fallback, double low,
                                          double high) const {
  const std::string* const text = Find(key);
  if (text == nullptr) return fallback;
  double value = 0;
  if (absl::SimpleAtod(*text, &value) && value >= low && value <= high) return value;
  return BadValue(key, absl::StrCat("a number from ", low, " to ", high));
}

absl::StatusOr<std::string> DatasetUri::Choice(absl::string_view key,
                                               absl::Span<const absl::string_view> allowed) const {
  const std::string* const text = Find(key);
  if (text == nullptr) return std::string(allowed.front());
  for (const absl::string_view name : allowed) {
    if (*text == name) return *text;
  }
  return BadValue(key, absl::StrJoin(allowed, ", "));
}

}  // namespace quantry::engine
