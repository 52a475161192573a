#include "client/dataset_uri.h"

#include <filesystem>
#include <system_error>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;

// The path as part of a URI: what ends a path there, or stands for other bytes, as %XX.
std::string EncodePath(absl::string_view path) {
  std::string encoded;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '%' || c == '?' || c == '#' || absl::ascii_iscntrl(byte)) {
      absl::StrAppendFormat(&encoded, "%%%02x", byte);
    } else {
      encoded += c;
    }
  }
  return encoded;
}

// Bytes for %XX; a '%' that starts no such thing stays.
std::string DecodePath(absl::string_view path) {
  std::string decoded;
  for (size_t i = 0; i < path.size(); ++i) {
    const absl::string_view digits = path.substr(i + 1, 2);
    if (path[i] == '%' && digits.size() == 2 && absl::c_all_of(digits, absl::ascii_isxdigit)) {
      decoded += absl::HexStringToBytes(digits);
      i += 2;
    } else {
      decoded += path[i];
    }
  }
  return decoded;
}

absl::StatusOr<std::string> AbsoluteFolder(const std::string& folder) {
  const fs::path path(folder);
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (error || (path.is_relative() && !fs::is_directory(absolute, error))) {
    return absl::NotFoundError(absl::StrCat(
        "dataset '", folder, "': there is no folder ", absolute.string(),
        "; give an existing folder, an absolute path that the worker sees, or a URI such as "
        "synthetic://glyphs"));
  }
  std::string text = absolute.string();
  if (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace

absl::StatusOr<std::string> NormalizeDatasetUri(absl::string_view dataset) {
  constexpr absl::string_view kFile = "file://";
  if (dataset.empty() || dataset == kFile) {
    return absl::InvalidArgumentError(
        "the dataset is empty; allowed: a folder, file:///path/to/folder, synthetic://glyphs?...");
  }
  if (absl::StartsWith(dataset, "file:///")) return std::string(dataset);
  const bool is_uri = absl::StrContains(dataset, "://");
  if (is_uri && !absl::StartsWith(dataset, kFile)) return std::string(dataset);

  // A '?' starts the query of a URI; in a plain path it is a character as any other.
  const size_t query = is_uri ? dataset.find('?') : absl::string_view::npos;
  const absl::string_view path = absl::StripPrefix(dataset.substr(0, query), kFile);
  const absl::StatusOr<std::string> folder =
      AbsoluteFolder(is_uri ? DecodePath(path) : std::string(path));
  if (!folder.ok()) return folder.status();
  return absl::StrCat(kFile, EncodePath(*folder),
                      query == absl::string_view::npos ? "" : dataset.substr(query));
}

}  // namespace quantry::client
