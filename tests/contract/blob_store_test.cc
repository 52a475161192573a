#include "server/store/blob_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "common/sha256.h"
#include "server/core/error_details.h"
#include "server/store/file_blob_store.h"
#include "server/store/memory_blob_store.h"
#include "tests/server/temp_folder.h"

// What every BlobStore must do.
namespace quantry::server {
namespace {

struct Implementation {
  std::string name;
  std::function<std::unique_ptr<BlobStore>(const std::filesystem::path& folder)> make;
};

class BlobStoreContract : public testing::TestWithParam<Implementation> {
 protected:
  std::string ReadAll(const std::string& sha256, int64_t piece_bytes) {
    const auto reader = store_->Open(sha256);
    EXPECT_TRUE(reader.ok()) << reader.status();
    std::string all;
    while (true) {
      const auto piece = (*reader)->Read(piece_bytes);
      EXPECT_TRUE(piece.ok()) << piece.status();
      if (!piece.ok() || piece->empty()) return all;
      all += *piece;
    }
  }

  TempFolder folder_;
  std::unique_ptr<BlobStore> store_ = GetParam().make(folder_.path());
  const std::string content_ = "some bytes of a model";
  const std::string sha256_ = Sha256Hex(content_);
  const int64_t size_ = static_cast<int64_t>(content_.size());
};

TEST_P(BlobStoreContract, StoresWhatComesInPieces) {
  const auto started = store_->Start(sha256_, size_);
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(started->committed_size, 0);
  EXPECT_FALSE(started->complete);
  ASSERT_TRUE(store_->Append(started->upload, 0, content_.substr(0, 4)).ok());
  EXPECT_EQ(store_->Size(sha256_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Start(sha256_, size_)->committed_size, 4);
  EXPECT_EQ(store_->Query(started->upload)->committed_size, 4);
  ASSERT_TRUE(store_->Append(started->upload, 4, content_.substr(4)).ok());
  const auto finished = store_->Finish(started->upload);
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_TRUE(finished->complete);
  EXPECT_EQ(finished->committed_size, size_);
  EXPECT_EQ(store_->Size(sha256_).value(), size_);
  EXPECT_EQ(ReadAll(sha256_, 5), content_);
}

TEST_P(BlobStoreContract, AStoredBlobNeedsNoUpload) {
  const auto started = store_->Start(sha256_, size_);
  ASSERT_TRUE(store_->Append(started->upload, 0, content_).ok());
  ASSERT_TRUE(store_->Finish(started->upload).ok());
  EXPECT_TRUE(store_->Start(sha256_, size_)->complete);
  EXPECT_TRUE(store_->Finish(started->upload)->complete);
  EXPECT_TRUE(store_->Append(started->upload, 0, content_)->complete);
}

TEST_P(BlobStoreContract, RefusesAnotherOffset) {
  const auto started = store_->Start(sha256_, size_);
  ASSERT_TRUE(store_->Append(started->upload, 0, "some").ok());
  for (const int64_t offset : {0, 3, 5, -1}) {
    const auto result = store_->Append(started->upload, offset, "x");
    EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ErrorReason(result.status()), "OFFSET_MISMATCH");
  }
  EXPECT_EQ(store_->Query(started->upload)->committed_size, 4);
}

TEST_P(BlobStoreContract, RefusesMoreBytesThanDeclared) {
  const auto started = store_->Start(sha256_, size_);
  const auto result = store_->Append(started->upload, 0, content_ + "!");
  EXPECT_EQ(ErrorReason(result.status()), "SIZE_MISMATCH");
  EXPECT_EQ(store_->Query(started->upload)->committed_size, 0);
}

TEST_P(BlobStoreContract, ATooShortUploadStartsAgain) {
  const auto started = store_->Start(sha256_, size_);
  ASSERT_TRUE(store_->Append(started->upload, 0, "some").ok());
  EXPECT_EQ(ErrorReason(store_->Finish(started->upload).status()), "SIZE_MISMATCH");
  EXPECT_EQ(store_->Start(sha256_, size_)->committed_size, 0);
}

TEST_P(BlobStoreContract, AFlippedBitIsRefusedAndStartsAgain) {
  std::string flipped = content_;
  flipped[3] ^= 1;
  const auto started = store_->Start(sha256_, size_);
  ASSERT_TRUE(store_->Append(started->upload, 0, flipped).ok());
  const auto finished = store_->Finish(started->upload);
  EXPECT_EQ(finished.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(finished.status()), "HASH_MISMATCH");
  EXPECT_EQ(store_->Size(sha256_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Start(sha256_, size_)->committed_size, 0);
  ASSERT_TRUE(store_->Append(started->upload, 0, content_).ok());
  EXPECT_TRUE(store_->Finish(started->upload)->complete);
}

TEST_P(BlobStoreContract, UnknownNamesAreNotFound) {
  EXPECT_EQ(store_->Open(sha256_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Size("../../etc/passwd").status().code(), absl::StatusCode::kNotFound);
  for (const std::string& upload : {std::string("nothing"), std::string("../x"), sha256_ + "-21",
                                    sha256_ + "-021", sha256_ + "--1", std::string()}) {
    EXPECT_EQ(ErrorReason(store_->Query(upload).status()), "UPLOAD_NOT_FOUND") << upload;
    EXPECT_EQ(ErrorReason(store_->Append(upload, 0, "x").status()), "UPLOAD_NOT_FOUND") << upload;
    EXPECT_EQ(ErrorReason(store_->Finish(upload).status()), "UPLOAD_NOT_FOUND") << upload;
  }
}

TEST_P(BlobStoreContract, ClientsThatSendTheSameContentGetThroughTogether) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (true) {
        auto state = store_->Start(sha256_, size_);
        ASSERT_TRUE(state.ok()) << state.status();
        while (!state->complete && state->committed_size < size_) {
          const int64_t offset = state->committed_size;
          store_->Append(state->upload, offset, content_.substr(static_cast<size_t>(offset), 1))
              .IgnoreError();
          state = store_->Start(sha256_, size_);
        }
        if (state->complete || store_->Finish(state->upload).ok()) return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ReadAll(sha256_, 100), content_);
}

INSTANTIATE_TEST_SUITE_P(
    Stores, BlobStoreContract,
    testing::Values(Implementation{"Memory",
                                   [](const std::filesystem::path&) {
                                     return std::make_unique<MemoryBlobStore>();
                                   }},
                    Implementation{"Files",
                                   [](const std::filesystem::path& folder) {
                                     return *FileBlobStore::Open(folder);
                                   }}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace quantry::server
