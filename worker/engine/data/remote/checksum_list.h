#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_CHECKSUM_LIST_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_CHECKSUM_LIST_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// SHA-256 by name of the object.
using ChecksumList = std::map<std::string, std::string, std::less<>>;

// Reads what the program sha256sum writes: 64 hex digits, a space, a space or "*", and a name, of
// which a leading "./" is dropped. Empty lines are passed over. INVALID_ARGUMENT names the line: it
// has another form, or its name is there already.
absl::StatusOr<ChecksumList> ParseChecksumList(absl::string_view text);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_CHECKSUM_LIST_H_
