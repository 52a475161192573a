#include "client/transfer/channel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "tests/client/transfer/fake_blob_service.h"

namespace quantry::client {
namespace {

grpc::Status Ask(grpc::Channel& channel) {
  const auto stub =
      v1::BlobService::NewStub(std::shared_ptr<grpc::Channel>(&channel, [](grpc::Channel*) {}));
  grpc::ClientContext context;
  v1::StartUploadRequest request;
  request.set_sha256(std::string(64, 'a'));
  request.set_size_bytes(1);
  v1::UploadStatus response;
  return stub->StartUpload(&context, request, &response);
}

std::unique_ptr<grpc::Server> Serve(FakeBlobService& service, const std::string& address = "") {
  grpc::ServerBuilder builder;
  if (!address.empty()) {
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  }
  builder.RegisterService(&service);
  return builder.BuildAndStart();
}

// A socket of the loopback device that listens.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~Listener() { close(fd_); }

  const std::string& address() const { return address_; }
  int Accept() const { return accept(fd_, nullptr, nullptr); }

 private:
  int fd_;
  std::string address_;
};

TEST(ChannelTest, ABusyServerMayTakeSecondsToAccept) {
  const Listener listener;
  FakeBlobService service;
  const auto server = Serve(service);
  std::thread busy([&] {
    const int fd = listener.Accept();
    absl::SleepFor(absl::Milliseconds(1500));  // longer than the time between tries
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    grpc::AddInsecureChannelFromFd(server.get(), fd);
  });
  const grpc::Status status = Ask(*MakeChannel(listener.address()));
  EXPECT_TRUE(status.ok()) << status.error_message();
  busy.join();
  server->Shutdown();
}

TEST(WaitForRetryTest, EndsWhenTheChannelConnects) {
  const std::string address = Listener().address();
  const auto channel = MakeChannel(address);
  EXPECT_EQ(Ask(*channel).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(WaitForRetry(*channel, absl::Milliseconds(300), nullptr));
  FakeBlobService service;
  const auto server = Serve(service, address);
  const absl::Duration start = SystemClock().Monotonic();
  EXPECT_TRUE(WaitForRetry(*channel, absl::Minutes(1), nullptr));
  EXPECT_LT(SystemClock().Monotonic() - start, absl::Seconds(4));
  EXPECT_TRUE(Ask(*channel).ok());
  server->Shutdown();
}

TEST(WaitForRetryTest, LastsWhereTheChannelIsConnected) {
  FakeBlobService service;
  const std::string address = Listener().address();
  const auto server = Serve(service, address);
  const auto channel = MakeChannel(address);
  EXPECT_TRUE(Ask(*channel).ok());
  const absl::Duration start = SystemClock().Monotonic();
  EXPECT_TRUE(WaitForRetry(*channel, absl::Milliseconds(120), nullptr));
  EXPECT_GE(SystemClock().Monotonic() - start, absl::Milliseconds(120));
  EXPECT_FALSE(WaitForRetry(*channel, absl::Minutes(1), [] { return true; }));
  server->Shutdown();
}

}  // namespace
}  // namespace quantry::client
