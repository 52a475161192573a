#ifndef QUANTRY_COMMON_DATASET_URI_H_
#define QUANTRY_COMMON_DATASET_URI_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/dataset_schemes.h"
#include "common/remote_location.h"

namespace quantry {

// "scheme://path?key=value&key=value", its %XX decoded and every part checked against the list of
// schemes (dataset_schemes.h). Needs no file: a server can check what only a worker can open.
class DatasetUri {
 public:
  // INVALID_ARGUMENT, saying what is allowed: no or an unknown scheme, a path that is not absolute
  // or not the one that the scheme has, a remote place that is none (remote_location.h), a
  // parameter that is unknown, without "=", given twice, out of range or without effect, a bad
  // %XX, a NUL.
  static absl::StatusOr<DatasetUri> Parse(absl::string_view text);

  // What reads it. Of https://host/a.tar that is "wds".
  const DatasetScheme& scheme() const { return *scheme_; }
  // Between "://" and "?"; of a remote place what follows host or bucket.
  const std::string& path() const { return path_; }
  // Where it must be fetched from, if it must.
  const std::optional<RemoteLocation>& remote() const { return remote_; }
  // Of a remote place: the endings of the objects that a prefix stands for.
  absl::Span<const absl::string_view> folder_endings() const { return folder_endings_; }

  // The same URI, with `path` as the place where what it names has been put. remote() stays.
  DatasetUri FetchedTo(std::string path) const;

  // The parameter's value, or the scheme's fallback. `key` must be one of the scheme, of that type.
  int64_t Integer(absl::string_view key) const;
  double Number(absl::string_view key) const;
  std::string Text(absl::string_view key) const;  // of OneOf and FreeText

  bool Has(absl::string_view key) const { return Find(key) != nullptr; }

 private:
  const std::string* Find(absl::string_view key) const;              // null if absent
  const DatasetParameter& ParameterOf(absl::string_view key) const;  // of the scheme
  absl::Status ReadParameters(absl::string_view query);
  absl::Status ReadRemote(const RemoteScheme& scheme, absl::string_view rest);
  const DatasetParameter* FindParameter(absl::string_view key) const;  // null: there is none
  absl::Status CheckPath() const;
  absl::Status CheckParameters() const;
  absl::Status CheckEffects() const;

  const DatasetScheme* scheme_ = nullptr;
  std::string path_;
  std::optional<RemoteLocation> remote_;
  absl::Span<const absl::string_view> folder_endings_;
  std::map<std::string, std::string, std::less<>> parameters_;
};

}  // namespace quantry

#endif  // QUANTRY_COMMON_DATASET_URI_H_
