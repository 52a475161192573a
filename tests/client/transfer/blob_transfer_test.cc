#include "client/transfer/blob_transfer.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/transfer/channel.h"
#include "client/transfer/grpc_status.h"
#include "common/files.h"
#include "common/sha256.h"
#include "tests/client/transfer/fake_blob_service.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;

class BlobTransferTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/quantry_transfer_XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    channel_ = MakeChannel(absl::StrCat("127.0.0.1:", port));
  }

  void TearDown() override {
    server_->Shutdown();
    fs::remove_all(folder_);
  }

  BlobTransfer Transfer(absl::Duration give_up_after = absl::Minutes(1)) {
    TransferOptions options;
    options.retry = {.initial_delay = absl::Milliseconds(1),
                     .max_delay = absl::Milliseconds(5),
                     .give_up_after = give_up_after};
    options.chunk_bytes = 1000;
    options.cancelled = [this] { return cancelled_.load(); };
    return BlobTransfer(channel_, options);
  }

  static std::string RandomBytes(size_t size) {
    std::mt19937 random(7);
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  }

  fs::path Write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  fs::path folder_;
  FakeBlobService service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::atomic<bool> cancelled_ = false;
};

TEST_F(BlobTransferTest, UploadsAndReportsProgress) {
  const std::string content = RandomBytes(10'500);
  int64_t last = -1;
  const auto sha256 = Transfer().UploadFile(Write("a", content), [&](int64_t done, int64_t total) {
    EXPECT_GE(done, last);
    EXPECT_EQ(total, 10'500);
    last = done;
  });
  ASSERT_TRUE(sha256.ok()) << sha256.status();
  EXPECT_EQ(*sha256, Sha256Hex(content));
  EXPECT_EQ(service_.Get(*sha256), content);
  EXPECT_EQ(last, 10'500);
}

TEST_F(BlobTransferTest, SendsNothingThatIsThereAlready) {
  const std::string content = RandomBytes(5000);
  service_.Put(content);
  ASSERT_TRUE(Transfer().UploadFile(Write("a", content)).ok());
  EXPECT_EQ(service_.bytes_received(), 0);
}

TEST_F(BlobTransferTest, UploadGoesOnWhereItBroke) {
  const std::string content = RandomBytes(20'000);
  service_.BreakAfter(3000, 5);
  const auto sha256 = Transfer().UploadFile(Write("a", content));
  ASSERT_TRUE(sha256.ok()) << sha256.status();
  EXPECT_EQ(service_.Get(*sha256), content);
  EXPECT_EQ(service_.bytes_received(), 20'000);  // no byte twice
}

TEST_F(BlobTransferTest, UploadThatArrivedChangedStartsAgain) {
  const std::string content = RandomBytes(4000);
  service_.FlipBitInUploads(1);
  const auto sha256 = Transfer().UploadFile(Write("a", content));
  ASSERT_TRUE(sha256.ok()) << sha256.status();
  EXPECT_EQ(service_.bytes_received(), 8000);
}

TEST_F(BlobTransferTest, UploadThatAlwaysArrivesChangedIsGivenUp) {
  service_.FlipBitInUploads(100);
  const auto sha256 = Transfer().UploadFile(Write("a", RandomBytes(500)));
  EXPECT_EQ(ReasonOf(sha256.status()), "HASH_MISMATCH");
  EXPECT_EQ(service_.bytes_received(), 1500);  // three tries
}

TEST_F(BlobTransferTest, RefusesEmptyAndMissingFiles) {
  EXPECT_EQ(Transfer().UploadFile(Write("a", "")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Transfer().UploadFile(folder_ / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(BlobTransferTest, DownloadsAndLeavesNoPart) {
  const std::string content = RandomBytes(12'345);
  const std::string sha256 = service_.Put(content);
  int64_t last = 0;
  ASSERT_TRUE(Transfer()
                  .DownloadBlob(sha256, folder_ / "b", [&](int64_t done, int64_t) { last = done; })
                  .ok());
  EXPECT_EQ(*ReadFile(folder_ / "b"), content);
  EXPECT_FALSE(fs::exists(folder_ / "b.part"));
  EXPECT_EQ(last, 12'345);
}

TEST_F(BlobTransferTest, DownloadGoesOnWhereItBroke) {
  const std::string content = RandomBytes(20'000);
  service_.BreakAfter(3000, 5);
  ASSERT_TRUE(Transfer().DownloadBlob(service_.Put(content), folder_ / "b").ok());
  EXPECT_EQ(*ReadFile(folder_ / "b"), content);
}

TEST_F(BlobTransferTest, DownloadContinuesAnEarlierPart) {
  const std::string content = RandomBytes(20'000);
  const std::string sha256 = service_.Put(content);
  Write("b.part", content.substr(0, 15'000));
  ASSERT_TRUE(Transfer().DownloadBlob(sha256, folder_ / "b").ok());
  EXPECT_EQ(*ReadFile(folder_ / "b"), content);
  EXPECT_EQ(service_.bytes_sent(), 5000);
}

TEST_F(BlobTransferTest, PartOfSomethingElseIsReplaced) {
  const std::string content = RandomBytes(5000);
  const std::string sha256 = service_.Put(content);
  for (const size_t size : {size_t{4000}, size_t{5000}, size_t{6000}}) {
    Write("b.part", std::string(size, 'x'));
    const absl::Status status = Transfer().DownloadBlob(sha256, folder_ / "b");
    ASSERT_TRUE(status.ok()) << size << ": " << status;
    EXPECT_EQ(*ReadFile(folder_ / "b"), content) << size;
  }
}

TEST_F(BlobTransferTest, DamagedBlobIsDataLossAndNotVisible) {
  const std::string sha256 = Sha256Hex("what it was");
  service_.PutDamaged(sha256, "what it is now");
  EXPECT_EQ(Transfer().DownloadBlob(sha256, folder_ / "b").code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(fs::exists(folder_ / "b"));
}

TEST_F(BlobTransferTest, MissingBlobIsNotFound) {
  const absl::Status status = Transfer().DownloadBlob(Sha256Hex("none"), folder_ / "b");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), "BLOB_NOT_FOUND");
}

TEST_F(BlobTransferTest, GivesUpWithoutProgress) {
  server_->Shutdown();
  EXPECT_EQ(Transfer(absl::Milliseconds(20)).UploadFile(Write("a", "x")).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(Transfer(absl::Milliseconds(20)).DownloadBlob(Sha256Hex("x"), folder_ / "b").code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(BlobTransferTest, NamesAFolderThatCannotBeWritten) {
  EXPECT_EQ(Transfer().DownloadBlob(service_.Put("x"), "/no/such/folder/b").code(),
            absl::StatusCode::kNotFound);
}

TEST_F(BlobTransferTest, CancelEndsIt) {
  cancelled_ = true;
  EXPECT_EQ(Transfer().UploadFile(Write("a", RandomBytes(5000))).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(Transfer().DownloadBlob(service_.Put("x"), folder_ / "b").code(),
            absl::StatusCode::kCancelled);
}

TEST(GrpcStatusTest, KeepsCodeMessageAndDetails) {
  const absl::Status status =
      FromGrpc(ErrorWithReason(grpc::StatusCode::FAILED_PRECONDITION, "STALE_LEASE", "not yours"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "not yours");
  EXPECT_EQ(ReasonOf(status), "STALE_LEASE");
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status)->domain(), "quantry");
  EXPECT_FALSE(DetailOf<google::rpc::BadRequest>(status).has_value());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), "");
}

TEST(GrpcStatusTest, TransientIsWhatARepeatMayCure) {
  EXPECT_TRUE(IsTransient(absl::UnavailableError("")));
  EXPECT_TRUE(IsTransient(absl::DeadlineExceededError("")));
  EXPECT_TRUE(IsTransient(absl::UnknownError("Stream removed")));
  EXPECT_FALSE(IsTransient(absl::UnknownError("")));
  EXPECT_FALSE(IsTransient(absl::InvalidArgumentError("")));
  EXPECT_FALSE(IsTransient(absl::OkStatus()));
}

TEST(BackoffTest, GrowsUpToItsLimitAndStartsAgain) {
  const RetryOptions options{.initial_delay = absl::Seconds(1), .max_delay = absl::Seconds(4)};
  Backoff backoff(options);
  for (const int expected : {1, 2, 4, 4}) {
    const absl::Duration delay = backoff.Next();
    EXPECT_GE(delay, absl::Seconds(expected) / 2);
    EXPECT_LE(delay, absl::Seconds(expected));
  }
  backoff.Reset();
  EXPECT_LE(backoff.Next(), absl::Seconds(1));
}

}  // namespace
}  // namespace quantry::client
