#ifndef QUANTRY_WORKER_ENGINE_DATA_SHARD_NAMES_H_
#define QUANTRY_WORKER_ENGINE_DATA_SHARD_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// "a-{000..002}.tar" as a-000.tar, a-001.tar, a-002.tar; a text without braces as it is. One range,
// both numbers with the same number of digits or without leading zeros, at most 100,000 names.
// INVALID_ARGUMENT, saying what is allowed, otherwise.
absl::StatusOr<std::vector<std::string>> ExpandBraces(absl::string_view pattern);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_SHARD_NAMES_H_
