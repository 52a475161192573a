#ifndef QUANTRY_CLIENT_DATASET_URI_H_
#define QUANTRY_CLIENT_DATASET_URI_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::client {

// What a person writes for a dataset as the URI that a job holds:
//   pictures, ./pictures         file:///current/folder/pictures (must exist here)
//   /data/pictures               file:///data/pictures (may exist only where the worker runs)
//   file://pictures              like pictures; a "?query" stays
//   cats?                        file:///current/folder/cats%3f
//   csv://list.csv               csv:///current/folder/list.csv, so for every scheme of a path
//   file:///data, synthetic://…  unchanged
// INVALID_ARGUMENT: empty. NOT_FOUND: a relative folder that does not exist.
absl::StatusOr<std::string> NormalizeDatasetUri(absl::string_view dataset);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_DATASET_URI_H_
