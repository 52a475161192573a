#include "client/dataset_uri.h"

#include <filesystem>
#include <system_error>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/dataset_schemes.h"

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

// Whether something is there; of a range of files, "a-{0..9}.tar", whether its folder is.
bool Exists(const fs::path& path) {
  std::error_code error;
  const bool is_range = absl::StrContains(path.filename().string(), '{');
  return fs::exists(is_range ? path.parent_path() : path, error);
}

absl::StatusOr<std::string> AbsolutePath(const std::string& name) {
  const fs::path path(name);
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (error || (path.is_relative() && !Exists(absolute))) {
    return absl::NotFoundError(absl::StrCat(
        "dataset '", name, "': there is no folder ", absolute.string(),
        "; give an existing folder, an absolute path that the worker sees, or a URI such as "
        "synthetic://glyphs"));
  }
  std::string text = absolute.string();
  if (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace

absl::StatusOr<std::string> NormalizeDatasetUri(absl::string_view dataset) {
  if (dataset.empty() || dataset == "file://") {
    return absl::InvalidArgumentError(
        "the dataset is empty; allowed: a folder, file:///path/to/folder, synthetic://glyphs?...");
  }
  const size_t separator = dataset.find("://");
  const bool is_uri = separator != absl::string_view::npos;
  const absl::string_view scheme_name = is_uri ? dataset.substr(0, separator) : "file";
  const DatasetScheme* const scheme = FindDatasetScheme(scheme_name);
  // The server says what it knows; paths are what only this side can complete.
  if (scheme == nullptr || !scheme->fixed_path.empty()) return std::string(dataset);
  const absl::string_view rest = is_uri ? dataset.substr(separator + 3) : dataset;
  if (is_uri && absl::StartsWith(rest, "/")) return std::string(dataset);

  // A '?' starts the query of a URI; in a plain path it is a character as any other.
  const size_t query = is_uri ? rest.find('?') : absl::string_view::npos;
  const absl::string_view path = rest.substr(0, query);
  const absl::StatusOr<std::string> absolute =
      AbsolutePath(is_uri ? DecodePath(path) : std::string(path));
  if (!absolute.ok()) return absolute.status();
  return absl::StrCat(scheme_name, "://", EncodePath(*absolute),
                      query == absl::string_view::npos ? "" : rest.substr(query));
}

}  // namespace quantry::client
