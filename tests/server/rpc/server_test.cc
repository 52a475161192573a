#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/core/error_details.h"
#include "server/rpc/status_mapping.h"
#include "server/store/memory_blob_store.h"
#include "server/store/sql_job_store.h"
#include "tests/server/rpc/server_fixture.h"
#include "tests/server/sample_spec.h"

// The server as a whole: draining, metrics, addresses, error details.
namespace quantry::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ServerTest : public ServerFixture {
 protected:
  ServerTest() : ServerFixture("127.0.0.1:0") {}

  // The answer to an HTTP GET of /metrics.
  std::string Scrape() {
    const std::string& address = server_->metrics_address();
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    const std::string request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
    EXPECT_EQ(send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
      answer.append(buffer, static_cast<size_t>(count));
    }
    close(fd);
    return answer;
  }
};

TEST_F(ServerTest, DrainTellsWatchersToComeBack) {
  const std::string name = Submit(SampleSpec());
  Register("w");
  Acquire("w");
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_name(name);
  const auto reader = jobs_->WatchJob(&context, request);
  v1::Event event;
  ASSERT_TRUE(reader->Read(&event));
  ASSERT_TRUE(reader->Read(&event));
  server_->Drain(absl::Seconds(5));
  EXPECT_FALSE(reader->Read(&event));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ErrorOf(status).info.reason(), "SHUTTING_DOWN");
}

TEST_F(ServerTest, MetricsTellWhatHappenedWithoutIds) {
  const std::string name = Submit(SampleSpec());
  Register("w");
  const v1::Lease lease = Acquire("w").lease();
  ASSERT_TRUE(Finish(SuccessOutcome("w", lease)).ok());
  v1::Lease stale = lease;
  stale.set_epoch(0);
  EXPECT_FALSE(Report("w", stale, 1, {StepEvent(1)}).ok());
  StoreBlob("12345");
  const std::string metrics = Scrape();
  EXPECT_THAT(metrics, HasSubstr("quantry_jobs{state=\"succeeded\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("quantry_jobs{state=\"queued\"} 0"));
  EXPECT_THAT(metrics, HasSubstr("quantry_attempts_total{cause=\"succeeded\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("quantry_stale_writes_rejected_total 1"));
  EXPECT_THAT(metrics, HasSubstr("quantry_blob_bytes_total{direction=\"in\"} 5"));
  EXPECT_THAT(metrics, HasSubstr("quantry_job_queue_wait_seconds_count 1"));
  EXPECT_THAT(metrics, HasSubstr("quantry_job_run_time_seconds_count{state=\"succeeded\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("quantry_rpc_requests_total{method=\"JobService/CreateJob\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("quantry_rpc_errors_total{"));
  EXPECT_THAT(metrics, HasSubstr("quantry_build_info{"));
  EXPECT_THAT(metrics, Not(HasSubstr(name.substr(5))));
}

TEST_F(ServerTest, AnAddressInUseIsRefusedByName) {
  const TempFolder folder;
  const auto database = *SqlDatabase::OpenSqlite(folder.path() / "quantry.db");
  SqlJobStore jobs(database);
  TokenStore tokens(database);
  QuotaStore quotas(database);
  MemoryBlobStore blobs;
  ServerOptions options;
  options.listen = server_->listen_address();
  const auto second = Server::Start(options, {jobs, blobs, tokens, quotas}, clock_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(options.listen));
  options.listen = "127.0.0.1:0";
  options.lease_duration = absl::ZeroDuration();
  EXPECT_EQ(Server::Start(options, {jobs, blobs, tokens, quotas}, clock_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(StatusMapping, ErrorInfoIsAlwaysThere) {
  const grpc::Status plain = ToGrpcStatus(absl::NotFoundError("gone"));
  EXPECT_EQ(plain.error_message(), "gone");
  EXPECT_EQ(ErrorOf(plain).code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ErrorOf(plain).info.reason(), "NOT_FOUND");
  EXPECT_EQ(ErrorOf(plain).info.domain(), "quantry");
  const grpc::Status full = ToGrpcStatus(BadRequestError("REASON", {{"field", "is bad"}}));
  EXPECT_EQ(ErrorOf(full).info.reason(), "REASON");
  EXPECT_EQ(ErrorOf(full).bad_request.field_violations(0).field(), "field");
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

}  // namespace
}  // namespace quantry::server
