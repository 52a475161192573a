#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_S3_LISTING_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_S3_LISTING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {

// One page of a bucket's listing.
struct S3Page {
  std::vector<std::string> keys;
  std::string continuation_token;  // of the next page; empty: this is the last
};

// Reads the answer to ListObjectsV2: a ListBucketResult in XML, its keys encoded as in URLs where it
// says so. INVALID_ARGUMENT: it is none, or says that there is more and not how to ask for it.
absl::StatusOr<S3Page> ParseS3Page(absl::string_view xml);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_S3_LISTING_H_
