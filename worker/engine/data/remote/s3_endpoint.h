#ifndef QUANTRY_WORKER_ENGINE_DATA_REMOTE_S3_ENDPOINT_H_
#define QUANTRY_WORKER_ENGINE_DATA_REMOTE_S3_ENDPOINT_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/data/remote/http_client.h"
#include "worker/engine/data/remote/remote_options.h"

namespace quantry::engine {

// The S3 service that the environment names, and how its requests are made and signed.
class S3Endpoint {
 public:
  // AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL: http(s)://HOST[:PORT][/PATH]; absent: Amazon's.
  // AWS_REGION or AWS_DEFAULT_REGION; absent: us-east-1.
  // AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; absent: requests are not signed,
  // as public buckets allow.
  // QUANTRY_S3_ADDRESSING: "virtual", the bucket is part of the host's name, or "path"; absent:
  // virtual for Amazon's unless the bucket's name holds a dot, path for others.
  // INVALID_ARGUMENT names the variable; the values of secrets are not shown.
  static absl::StatusOr<S3Endpoint> FromEnvironment(const RemoteOptions& options);

  HttpRequest GetObject(const std::string& bucket, absl::string_view key) const;
  // ListObjectsV2 of what is directly below `prefix`; `token`: of the page before, or "".
  HttpRequest ListObjects(const std::string& bucket, absl::string_view prefix,
                          absl::string_view token) const;

 private:
  S3Endpoint() = default;
  HttpRequest Request(const std::string& bucket, absl::string_view path,
                      absl::string_view query) const;

  std::string base_;  // http(s)://HOST[:PORT][/PATH] without "/" at its end; empty: Amazon's
  std::string region_;
  std::string addressing_;  // "virtual", "path" or "": by the rule above
  std::optional<S3Signature> signature_;
  std::string session_token_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_REMOTE_S3_ENDPOINT_H_
