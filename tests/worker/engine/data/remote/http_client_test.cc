#include "worker/engine/data/remote/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/worker/engine/data/remote/test_server.h"
#include "tests/worker/engine/data/scratch_folder.h"

namespace quantry::engine {
namespace {

using testing::HasSubstr;

class HttpClientTest : public testing::Test {
 protected:
  // The body of what is there, or the error.
  absl::StatusOr<std::string> Get(const std::string& url, const RemoteOptions& options) {
    std::string body;
    const auto client = HttpClient::Create(options).value();
    response_ = client->Get(
        {.url = url}, [](const HttpResponse&) { return absl::OkStatus(); },
        [&body](absl::string_view piece) {
          absl::StrAppend(&body, piece);
          return absl::OkStatus();
        });
    if (!response_.ok()) return response_.status();
    return body;
  }

  ScratchFolder folder_;
  absl::StatusOr<HttpResponse> response_ = absl::UnknownError("no request was made");
};

TEST_F(HttpClientTest, FollowsRedirectsToHttpAlone) {
  folder_.Write("a.bin", "content");
  const TestServer server("object_server.py", {folder_.path().string()});
  const RemoteOptions options = TestRemoteOptions(folder_.path());
  EXPECT_EQ(Get(server.url("/redirect=here/a.bin"), options).value(), "content");
  EXPECT_NE(response_->Header("etag"), "");
  EXPECT_EQ(response_->Header("location"), "") << "headers are of the last response";

  const absl::Status file = Get(server.url("/redirect=file/a.bin"), options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(file)) << file;
  EXPECT_THAT(std::string(file.message()), HasSubstr("file"));
  const absl::Status loop = Get(server.url("/redirect=loop/a.bin"), options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(loop)) << loop;
  EXPECT_THAT(std::string(loop.message()), HasSubstr("Maximum (5) redirects"));
  // The failed ones asked six times at most.
  EXPECT_LE(server.TakeLog().size(), 2u + 1u + 6u);
}

TEST_F(HttpClientTest, BodiesOfErrorsAreKeptApart) {
  const TestServer server("object_server.py", {folder_.path().string()});
  EXPECT_EQ(Get(server.url("/status=403/a"), TestRemoteOptions(folder_.path())).value(), "");
  EXPECT_EQ(response_->status, 403);
  EXPECT_EQ(response_->error_body, "<Code>Secret</Code>");
}

TEST_F(HttpClientTest, CertificatesMustBeTrusted) {
  folder_.Write("a.bin", "content");
  WriteCertificate(folder_.path());
  const std::string certificate = (folder_.path() / "certificate.pem").string();
  const TestServer server("object_server.py", {folder_.path().string(), certificate,
                                               (folder_.path() / "key.pem").string()});
  const std::string address = std::to_string(server.port()) + "/plain/a.bin";
  const absl::Status unknown =
      Get("https://localhost:" + address, TestRemoteOptions(folder_.path())).status();
  EXPECT_TRUE(absl::IsPermissionDenied(unknown)) << unknown;
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("SSL_CERT_FILE"));
  const RemoteOptions trusting =
      TestRemoteOptions(folder_.path(), {{"SSL_CERT_FILE", certificate}});
  EXPECT_EQ(Get("https://localhost:" + address, trusting).value(), "content");
  const absl::Status other = Get("https://127.0.0.1:" + address, trusting).status();
  EXPECT_TRUE(absl::IsPermissionDenied(other)) << "the certificate is not for it: " << other;
}

TEST_F(HttpClientTest, LinkLocalAddressesAreNeverConnectedTo) {
  const RemoteOptions options = TestRemoteOptions(folder_.path());
  for (const char* url : {"http://169.254.169.254/latest", "http://[::ffff:169.254.1.1]/",
                          "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://0xa9fea9fe/"}) {
    const absl::Status status = Get(url, options).status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << url << " " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("link-local"));
  }
}

TEST_F(HttpClientTest, ProxiesOfTheEnvironmentAreNotUsed) {
  folder_.Write("a.bin", "content");
  const TestServer server("object_server.py", {folder_.path().string()});
  setenv("http_proxy", "http://127.0.0.1:9", 1);
  EXPECT_EQ(Get(server.url("/plain/a.bin"), TestRemoteOptions(folder_.path())).value(), "content");
  unsetenv("http_proxy");
}

TEST_F(HttpClientTest, OtherProtocolsAndDeadServersAreErrors) {
  const RemoteOptions options = TestRemoteOptions(folder_.path());
  EXPECT_TRUE(absl::IsInvalidArgument(Get("file:///etc/passwd", options).status()));
  EXPECT_TRUE(absl::IsUnavailable(Get("http://127.0.0.1:1/a", options).status()));
  EXPECT_TRUE(absl::IsUnavailable(Get("http://nowhere.invalid/a", options).status()));
}

}  // namespace
}  // namespace quantry::engine
