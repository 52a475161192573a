#include "worker/engine/data/remote/s3_endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/engine/data/remote/test_server.h"

namespace quantry::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

using Variables = std::map<std::string, std::string>;

std::string UrlOf(const Variables& variables, const std::string& bucket, const std::string& key) {
  const auto endpoint = S3Endpoint::FromEnvironment(TestRemoteOptions("/none", variables));
  return endpoint.ok() ? endpoint->GetObject(bucket, key).url : endpoint.status().ToString();
}

TEST(S3EndpointTest, BucketsAreInTheHostsNameOrInThePath) {
  EXPECT_EQ(UrlOf({}, "bucket", "a b/c+d.tar"),
            "https://bucket.s3.us-east-1.amazonaws.com/a%20b/c%2Bd.tar");
  EXPECT_EQ(UrlOf({{"AWS_DEFAULT_REGION", "eu-west-1"}}, "my.bucket", "k"),
            "https://s3.eu-west-1.amazonaws.com/my.bucket/k")
      << "no certificate is for a name with more dots";
  EXPECT_EQ(UrlOf({{"QUANTRY_S3_ADDRESSING", "path"}}, "bucket", "k"),
            "https://s3.us-east-1.amazonaws.com/bucket/k");
  const Variables own = {{"AWS_ENDPOINT_URL", "http://minio:9000/"}};
  EXPECT_EQ(UrlOf(own, "bucket", "k"), "http://minio:9000/bucket/k");
  Variables both = own;
  both["AWS_ENDPOINT_URL_S3"] = "https://other";
  both["QUANTRY_S3_ADDRESSING"] = "virtual";
  EXPECT_EQ(UrlOf(both, "bucket", "k"), "https://bucket.other/k");
}

TEST(S3EndpointTest, RequestsAreSignedIfThereAreCredentials) {
  const auto open = S3Endpoint::FromEnvironment(TestRemoteOptions("/none")).value();
  EXPECT_FALSE(open.GetObject("bucket", "k").signature.has_value());
  EXPECT_TRUE(open.GetObject("bucket", "k").headers.empty());
  const auto closed = S3Endpoint::FromEnvironment(TestRemoteOptions(
      "/none", {{"AWS_ACCESS_KEY_ID", "id"}, {"AWS_SECRET_ACCESS_KEY", "secret"},
                {"AWS_SESSION_TOKEN", "token"}, {"AWS_REGION", "eu-west-1"}})).value();
  const HttpRequest request = closed.ListObjects("bucket", "a/b", "x&y");
  ASSERT_TRUE(request.signature.has_value());
  EXPECT_EQ(request.signature->region, "eu-west-1");
  EXPECT_THAT(request.headers, testing::Contains("x-amz-security-token: token"));
  EXPECT_FALSE(request.follows_redirects);
  EXPECT_THAT(request.url, HasSubstr("/?continuation-token=x%26y&delimiter=%2F&encoding-type=url&"
                                     "list-type=2&prefix=a%2Fb"));
}

TEST(S3EndpointTest, WrongVariablesAreNamedAndSecretsAreNotShown) {
  const std::pair<Variables, const char*> cases[] = {
      {{{"AWS_ENDPOINT_URL", "minio:9000"}}, "AWS_ENDPOINT_URL"},
      {{{"AWS_ENDPOINT_URL", "https://user:hidden@minio"}}, "AWS_ENDPOINT_URL"},
      {{{"AWS_ENDPOINT_URL", "https://minio?hidden"}}, "AWS_ENDPOINT_URL"},
      {{{"AWS_REGION", "eu west"}}, "AWS_REGION"},
      {{{"QUANTRY_S3_ADDRESSING", "both"}}, "allowed: path, virtual"},
      {{{"AWS_ACCESS_KEY_ID", "hidden"}}, "AWS_SECRET_ACCESS_KEY"},
      {{{"AWS_SECRET_ACCESS_KEY", "hidden"}}, "AWS_ACCESS_KEY_ID"},
      {{{"AWS_ACCESS_KEY_ID", "a\r\nhidden: 1"}, {"AWS_SECRET_ACCESS_KEY", "hidden"}},
       "AWS_ACCESS_KEY_ID"},
  };
  for (const auto& [variables, named] : cases) {
    const absl::Status status =
        S3Endpoint::FromEnvironment(TestRemoteOptions("/none", variables)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << named << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(named));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hidden")));
  }
}

}  // namespace
}  // namespace quantry::engine
