#ifndef QUANTRY_WORKER_ENGINE_DATA_DATASET_URI_H_
#define QUANTRY_WORKER_ENGINE_DATA_DATASET_URI_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry::engine {

// "scheme://path?key=value&key=value", its %XX decoded.
class DatasetUri {
 public:
  // INVALID_ARGUMENT: no scheme, a parameter without "=", one given twice, a bad %XX, a NUL.
  static absl::StatusOr<DatasetUri> Parse(absl::string_view text);

  const std::string& scheme() const { return scheme_; }
  const std::string& path() const { return path_; }  // between "://" and "?"

  // INVALID_ARGUMENT if a parameter is not in `known`: names it and the nearest that is.
  absl::Status CheckParameters(absl::Span<const absl::string_view> known) const;

  // The parameter's value, `fallback` if it is absent. INVALID_ARGUMENT, with what is allowed, if
  // it is no number or outside [low, high].
  absl::StatusOr<int64_t> Integer(absl::string_view key, int64_t fallback, int64_t low,
                                  int64_t high) const;
  absl::StatusOr<double> Number(absl::string_view key, double fallback, double low,
                                double high) const;

  // The parameter's value, the first of `allowed` if it is absent.
  absl::StatusOr<std::string> Choice(absl::string_view key,
                                     absl::Span<const absl::string_view> allowed) const;

  bool Has(absl::string_view key) const { return Find(key) != nullptr; }

 private:
  const std::string* Find(absl::string_view key) const;  // null if absent
  absl::Status BadValue(absl::string_view key, absl::string_view allowed) const;

  std::string scheme_;
  std::string path_;
  std::map<std::string, std::string, std::less<>> parameters_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_DATASET_URI_H_
