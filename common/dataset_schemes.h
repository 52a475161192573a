#ifndef QUANTRY_COMMON_DATASET_SCHEMES_H_
#define QUANTRY_COMMON_DATASET_SCHEMES_H_

#include <cstdint>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry {

// Which dataset URIs there are: the one list that server, client and engine share, so that the
// server refuses at submission what the trainer would. Meaning of each: docs/datasets.md.

// What a parameter's value may be. The bounds are inclusive; `fallback` is the value where the
// parameter is absent.
struct WholeNumber {
  int64_t fallback;
  int64_t low;
  int64_t high;
};
struct RealNumber {
  double fallback;
  double low;
  double high;
};
struct OneOf {
  absl::Span<const absl::string_view> names;  // the first is the fallback
};
struct FreeText {};  // not empty; the fallback is ""

struct DatasetParameter {
  absl::string_view name;
  std::variant<WholeNumber, RealNumber, OneOf, FreeText> value;
};

struct DatasetScheme {
  absl::string_view name;  // what comes before "://"
  absl::string_view form;  // how such a URI is written, for messages
  // What must stand between "://" and "?". Empty: an absolute path of the worker.
  absl::string_view fixed_path;
  absl::Span<const DatasetParameter> parameters;
};

// All of them, in the order in which messages name them.
absl::Span<const DatasetScheme> DatasetSchemes();
std::vector<absl::string_view> DatasetSchemeNames();

// Null if there is no such scheme.
const DatasetScheme* FindDatasetScheme(absl::string_view name);

}  // namespace quantry

#endif  // QUANTRY_COMMON_DATASET_SCHEMES_H_
