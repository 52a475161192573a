#include "worker/engine/data/remote/s3_endpoint.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "worker/engine/data/remote/remote_object.h"

namespace quantry::engine {
namespace {

// Of the empty body that a GET has; S3 wants it in a header and in the signature.
constexpr absl::string_view kEmptySha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string Encode(absl::string_view text, absl::string_view also) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || absl::StrContains("-._~", c) || absl::StrContains(also, c)) {
      encoded += c;
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", byte);
    }
  }
  return encoded;
}

std::string First(const RemoteOptions& options, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const std::optional<std::string> value = EnvironmentOf(options, name);
    if (value && !value->empty()) return *value;
  }
  return "";
}

bool IsPlain(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
}

absl::StatusOr<std::string> ReadBase(const RemoteOptions& options) {
  std::string base = First(options, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  while (absl::EndsWith(base, "/")) base.pop_back();
  if (base.empty()) return base;
  const bool is_http = absl::StartsWith(base, "http://") || absl::StartsWith(base, "https://");
  if (is_http && IsPlain(base) && base.find_first_of("?#@") == std::string::npos) return base;
  return absl::InvalidArgumentError(
      "the environment variable AWS_ENDPOINT_URL is not http://HOST[:PORT] or "
      "https://HOST[:PORT], without a user or a query");
}

}  // namespace

std::string EncodePath(absl::string_view path) { return Encode(path, "/"); }

absl::StatusOr<S3Endpoint> S3Endpoint::FromEnvironment(const RemoteOptions& options) {
  S3Endpoint endpoint;
  QUANTRY_ASSIGN_OR_RETURN(endpoint.base_, ReadBase(options));
  endpoint.region_ = First(options, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (endpoint.region_.empty()) endpoint.region_ = "us-east-1";
  const bool named = std::all_of(endpoint.region_.begin(), endpoint.region_.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-';
  });
  if (!named) {
    return absl::InvalidArgumentError(
        "the environment variable AWS_REGION is no name of a region, such as eu-central-1");
  }
  endpoint.addressing_ = First(options, {"QUANTRY_S3_ADDRESSING"});
  if (!endpoint.addressing_.empty() && endpoint.addressing_ != "path" &&
      endpoint.addressing_ != "virtual") {
    return absl::InvalidArgumentError(
        absl::StrCat("the environment variable QUANTRY_S3_ADDRESSING is '",
                     endpoint.addressing_.substr(0, 40), "'; allowed: path, virtual"));
  }
  const std::string key = First(options, {"AWS_ACCESS_KEY_ID"});
  const std::string secret = First(options, {"AWS_SECRET_ACCESS_KEY"});
  endpoint.session_token_ = First(options, {"AWS_SESSION_TOKEN"});
  if (key.empty() != secret.empty() || !IsPlain(key) || !IsPlain(endpoint.session_token_) ||
      absl::StrContains(key, ':')) {
    return absl::InvalidArgumentError(
        "the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set, "
        "or neither, and hold no spaces or line breaks");
  }
  if (!key.empty()) endpoint.signature_ = S3Signature{endpoint.region_, key, secret};
  return endpoint;
}

HttpRequest S3Endpoint::Request(const std::string& bucket, absl::string_view path,
                                absl::string_view query) const {
  const bool amazon = base_.empty();
  const bool by_rule = amazon && !absl::StrContains(bucket, '.');
  const bool is_virtual = addressing_.empty() ? by_rule : addressing_ == "virtual";
  const std::string base = amazon ? absl::StrCat("https://s3.", region_, ".amazonaws.com") : base_;
  const size_t host = base.find("://") + 3;
  HttpRequest request{.follows_redirects = false};
  request.url = is_virtual ? absl::StrCat(base.substr(0, host), bucket, ".", base.substr(host))
                           : absl::StrCat(base, "/", bucket);
  absl::StrAppend(&request.url, "/", EncodePath(path), query.empty() ? "" : "?", query);
  if (!signature_) return request;
  request.signature = signature_;
  request.headers.push_back(absl::StrCat("x-amz-content-sha256: ", kEmptySha256));
  if (!session_token_.empty()) {
    request.headers.push_back(absl::StrCat("x-amz-security-token: ", session_token_));
  }
  return request;
}

HttpRequest S3Endpoint::GetObject(const std::string& bucket, absl::string_view key) const {
  return Request(bucket, key, "");
}

HttpRequest S3Endpoint::ListObjects(const std::string& bucket, absl::string_view prefix,
                                    absl::string_view token) const {
  // The signature counts parameters sorted by name and encoded: so they are written that way.
  std::string query;
  if (!token.empty()) absl::StrAppend(&query, "continuation-token=", Encode(token, ""), "&");
  absl::StrAppend(&query, "delimiter=%2F&encoding-type=url&list-type=2");
  absl::StrAppend(&query, "&prefix=", Encode(prefix, ""));
  return Request(bucket, "", query);
}

}  // namespace quantry::engine
