#include <gmock/gmock.h>

#include <fstream>

#include "common/sha256.h"
#include "tests/server/rpc/server_fixture.h"

// Bytes in and out through the real gRPC service.
namespace quantry::server {
namespace {

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

class BlobServiceTest : public ServerFixture {
 protected:
  v1::UploadStatus Start() {
    grpc::ClientContext context;
    v1::StartUploadRequest request;
    request.set_sha256(sha256_);
    request.set_size_bytes(static_cast<int64_t>(content_.size()));
    v1::UploadStatus status;
    EXPECT_TRUE(blobs_->StartUpload(&context, request, &status).ok());
    return status;
  }

  const std::string content_ = Pattern(700'001);
  const std::string sha256_ = Sha256Hex(content_);
};

TEST_F(BlobServiceTest, AnUploadIsResumedAndDownloadedFromAnyOffset) {
  v1::UploadStatus status = Start();
  ASSERT_TRUE(Upload(status.upload(), content_.substr(0, 200'000), 0, 65'536, false, &status).ok());
  EXPECT_EQ(status.committed_size(), 200'000);
  EXPECT_FALSE(status.complete());
  RestartServer();
  EXPECT_EQ(Start().committed_size(), 200'000);
  v1::UploadStatus rewound;
  const CallError error =
      ErrorOf(Upload(status.upload(), content_, 100'000, 65'536, true, &rewound));
  EXPECT_EQ(error.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(error.info.metadata().at("committed_size"), "200000");
  ASSERT_TRUE(Upload(status.upload(), content_, 200'000, 65'536, true, &status).ok());
  EXPECT_TRUE(status.complete());
  EXPECT_TRUE(Start().complete());
  for (const int64_t offset : {int64_t{0}, int64_t{131'073}, int64_t{700'001}}) {
    std::string got;
    ASSERT_TRUE(Download(sha256_, offset, &got).ok());
    EXPECT_EQ(got, content_.substr(static_cast<size_t>(offset)));
  }
  std::string got;
  EXPECT_EQ(Download(sha256_, 700'002, &got).error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(BlobServiceTest, AFlippedBitOnTheWayInIsRefused) {
  std::string flipped = content_;
  flipped[5] ^= 4;
  v1::UploadStatus status = Start();
  const CallError error = ErrorOf(Upload(status.upload(), flipped, 0, 65'536, true, &status));
  EXPECT_EQ(error.info.reason(), "HASH_MISMATCH");
  EXPECT_EQ(Start().committed_size(), 0);
}

TEST_F(BlobServiceTest, AFlippedBitInTheStoreIsDataLoss) {
  StoreBlob(content_);
  std::fstream file(folder_.path() / "blobs" / sha256_,
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file.put(static_cast<char>(content_[100] ^ 1));
  file.close();
  for (const int64_t offset : {0, 600'000}) {
    std::string got;
    const CallError error = ErrorOf(Download(sha256_, offset, &got));
    EXPECT_EQ(error.code, grpc::StatusCode::DATA_LOSS);
    EXPECT_EQ(error.info.reason(), "BLOB_CORRUPT");
  }
}

TEST_F(BlobServiceTest, RefusesWrongHashesSizesAndChunks) {
  v1::StartUploadRequest request;
  request.set_sha256("ABC");
  request.set_size_bytes((4 << 20) + 1);
  grpc::ClientContext context;
  v1::UploadStatus status;
  EXPECT_EQ(
      ErrorOf(blobs_->StartUpload(&context, request, &status)).bad_request.field_violations_size(),
      2);
  const std::string large = Pattern((1 << 20) + 1);
  status = Start();
  EXPECT_EQ(ErrorOf(Upload(status.upload(), large, 0, large.size(), true, &status)).info.reason(),
            "INVALID_CHUNK");
  EXPECT_EQ(ErrorOf(Upload("nothing", content_, 0, 65'536, true, &status)).code,
            grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace quantry::server
