#ifndef QUANTRY_COMMON_REMOTE_LOCATION_H_
#define QUANTRY_COMMON_REMOTE_LOCATION_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/dataset_schemes.h"

namespace quantry {

// Where a remote dataset lies: what its URI says in front of "?".
struct RemoteLocation {
  std::string scheme;     // of RemoteSchemes()
  std::string authority;  // HOST or HOST:PORT in lower case; of s3 the bucket
  std::string path;       // begins with "/"; at its end a name, a range of names, or "/" of a prefix

  bool is_prefix() const { return path.back() == '/'; }
  bool is_range() const { return path.find('{') != std::string::npos; }
  std::string name() const;      // what follows the last "/"
  std::string folder() const;    // the path up to it, with the "/" at its end
  std::string ToString() const;  // as in the URI
};

// `path` is decoded already. INVALID_ARGUMENT, saying what is allowed: no host or bucket or a wrong
// one, a user or password in it, no path, "." or ".." in the path, braces in other than its last
// part, a prefix where nothing can be listed.
absl::StatusOr<RemoteLocation> MakeRemoteLocation(const RemoteScheme& scheme,
                                                  absl::string_view authority, std::string path);

// What reads it: `format`, or for "auto" what its ending says. INVALID_ARGUMENT: neither does, or
// that format is not in one object or not in many.
absl::StatusOr<RemoteFormat> FormatOf(const RemoteLocation& location, absl::string_view format);

}  // namespace quantry

#endif  // QUANTRY_COMMON_REMOTE_LOCATION_H_
