#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_REMOTE_OBJECT_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_REMOTE_OBJECT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/remote_location.h"
#include "worker/engine/data/remote/http_client.h"
#include "worker/engine/data/remote/remote_options.h"

namespace quantry::engine {

// Something that can be fetched.
struct RemoteObject {
  std::string uri;      // what messages call it: https://host/a/b.tar, s3://bucket/a/b.tar
  std::string name;     // the last part of its path: b.tar
  HttpRequest request;  // that gets it
  bool is_s3 = false;
};

// The objects that `location` names: one; of a range (its path with one pair of braces, expanded to
// `paths` by the caller) one each.
absl::StatusOr<std::vector<RemoteObject>> ObjectsAt(const RemoteLocation& location,
                                                    const std::vector<std::string>& paths,
                                                    const RemoteOptions& options);

// Those directly below the prefix `location` whose names end in one of `endings`, by name.
// NOT_FOUND: there are none. Other errors as of WithRetries.
absl::StatusOr<std::vector<RemoteObject>> ListObjects(const RemoteLocation& location,
                                                      absl::Span<const absl::string_view> endings,
                                                      const RemoteOptions& options,
                                                      HttpClient& client);

// The path with everything but letters, digits, "-._~" and "/" as %XX.
std::string EncodePath(absl::string_view path);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_REMOTE_OBJECT_H_
