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
struct FreeText {};   // not empty; the fallback is ""
struct HexDigest {};  // a SHA-256 as 64 lower-case hex digits; the fallback is ""

struct DatasetParameter {
  absl::string_view name;
  std::variant<WholeNumber, RealNumber, OneOf, FreeText, HexDigest> value;
};

struct DatasetScheme {
  absl::string_view name;  // what comes before "://"
  absl::string_view form;  // how such a URI is written, for messages
  // What must stand between "://" and "?". Empty: an absolute path of the worker.
  absl::string_view fixed_path;
  absl::Span<const DatasetParameter> parameters;
};

// A place elsewhere: what its URIs name is fetched and then read by one of the schemes above.
struct RemoteScheme {
  absl::string_view name;
  absl::string_view form;
  bool lists;  // whether what lies below a prefix can be listed
};

// How fetched objects are read.
struct RemoteFormat {
  absl::string_view scheme;                            // of DatasetSchemes()
  absl::Span<const absl::string_view> endings;         // of the name of one object that is this
  absl::Span<const absl::string_view> folder_endings;  // of those that a prefix stands for
};

// Those that read files, in the order in which messages name them.
absl::Span<const DatasetScheme> DatasetSchemes();
absl::Span<const RemoteScheme> RemoteSchemes();
absl::Span<const RemoteFormat> RemoteFormats();
// What URIs of remote schemes may say beside the parameters of the scheme that reads.
absl::Span<const DatasetParameter> RemoteParameters();

// Of both kinds of schemes.
std::vector<absl::string_view> DatasetSchemeNames();

// Null if there is no such scheme.
const DatasetScheme* FindDatasetScheme(absl::string_view name);
const RemoteScheme* FindRemoteScheme(absl::string_view name);

}  // namespace quantry

#endif  // QUANTRY_COMMON_DATASET_SCHEMES_H_
