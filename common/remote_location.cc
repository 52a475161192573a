#include "common/remote_location.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"

namespace quantry {
namespace {

constexpr size_t kMaxHost = 253;
constexpr size_t kMinBucket = 3;
constexpr size_t kMaxBucket = 63;

absl::Status Bad(const RemoteScheme& scheme, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("dataset URI: ", what, "; write ", scheme.form));
}

bool HasOnly(absl::string_view text, absl::string_view more) {
  return std::all_of(text.begin(), text.end(), [more](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(more, c);
  });
}

bool IsHost(absl::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    return HasOnly(host.substr(1, host.size() - 2), ":.");
  }
  return !host.empty() && host.size() <= kMaxHost && HasOnly(host, ".-");
}

bool IsPort(absl::string_view port) {
  int number = 0;
  return HasOnly(port, "") && absl::SimpleAtoi(port, &number) && number >= 1 && number <= 65535;
}

bool IsHostAndPort(absl::string_view authority) {
  const size_t colon = authority.rfind(':');
  const bool has_port = colon != absl::string_view::npos && authority.back() != ']';
  if (!has_port) return IsHost(authority);
  return IsHost(authority.substr(0, colon)) && IsPort(authority.substr(colon + 1));
}

bool IsBucket(absl::string_view bucket) {
  return bucket.size() >= kMinBucket && bucket.size() <= kMaxBucket && HasOnly(bucket, ".-") &&
         absl::ascii_isalnum(bucket.front()) && absl::ascii_isalnum(bucket.back()) &&
         std::none_of(bucket.begin(), bucket.end(), absl::ascii_isupper) &&
         !absl::StrContains(bucket, "..");
}

absl::Status CheckAuthority(const RemoteScheme& scheme, absl::string_view authority) {
  if (absl::StrContains(authority, '@')) {
    // Not repeated: it is a secret.
    return Bad(scheme, "a user or password must not stand in the URI, which is kept with the job");
  }
  if (scheme.name == "s3") {
    if (IsBucket(authority)) return absl::OkStatus();
    return Bad(scheme, absl::StrCat("'", authority.substr(0, 80), "' is no name of a bucket"));
  }
  if (IsHostAndPort(authority)) return absl::OkStatus();
  return Bad(scheme, absl::StrCat("'", authority.substr(0, 80), "' is no HOST or HOST:PORT"));
}

absl::Status CheckPath(const RemoteScheme& scheme, const RemoteLocation& location) {
  if (location.path.size() < 2 && !scheme.lists) {
    return Bad(scheme, "the path of an object is missing");
  }
  for (const absl::string_view part : absl::StrSplit(location.path, '/')) {
    if (part == "." || part == "..") return Bad(scheme, "'.' and '..' are not allowed in the path");
  }
  if (location.folder().find_first_of("{}") != std::string::npos) {
    return Bad(scheme, "braces are allowed in the last part of the path alone");
  }
  if (!location.is_prefix() || scheme.lists) return absl::OkStatus();
  return Bad(scheme, absl::StrCat(location.ToString(), " is a folder, and ", scheme.name,
                                  " can't list one; name an object or a range of them"));
}

bool EndsWithAny(absl::string_view name, absl::Span<const absl::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [name](absl::string_view ending) { return absl::EndsWith(name, ending); });
}

}  // namespace

std::string RemoteLocation::name() const { return path.substr(path.rfind('/') + 1); }

std::string RemoteLocation::folder() const { return path.substr(0, path.rfind('/') + 1); }

std::string RemoteLocation::ToString() const {
  return absl::StrCat(scheme, "://", authority, path);
}

absl::StatusOr<RemoteLocation> MakeRemoteLocation(const RemoteScheme& scheme,
                                                  absl::string_view authority, std::string path) {
  QUANTRY_RETURN_IF_ERROR(CheckAuthority(scheme, authority));
  if (path.empty()) path.push_back('/');
  RemoteLocation location{.scheme = std::string(scheme.name),
                          .authority = absl::AsciiStrToLower(authority),
                          .path = std::move(path)};
  QUANTRY_RETURN_IF_ERROR(CheckPath(scheme, location));
  return location;
}

absl::StatusOr<RemoteFormat> FormatOf(const RemoteLocation& location, absl::string_view format) {
  std::vector<absl::string_view> endings, names;
  for (const RemoteFormat& known : RemoteFormats()) {
    const auto& fitting = location.is_prefix() ? known.folder_endings : known.endings;
    if (fitting.empty()) continue;
    names.push_back(known.scheme);
    endings.insert(endings.end(), known.endings.begin(), known.endings.end());
    const bool chosen = format == "auto"
                            ? location.is_prefix() || EndsWithAny(location.path, known.endings)
                            : format == known.scheme;
    if (chosen) return known;
  }
  if (format != "auto") {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset URI: parameter 'format' is '", format, "', which is not read from ",
                     location.is_prefix() ? "a prefix" : "one object or a range of them",
                     "; allowed: ", absl::StrJoin(names, ", ")));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "dataset URI: '", location.name(), "' ends in none of ", absl::StrJoin(endings, ", "),
      "; say by the parameter 'format' what it is: ", absl::StrJoin(names, ", ")));
}

}  // namespace quantry
