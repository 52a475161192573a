#ifndef QUANTRY_CLIENT_TRANSFER_BLOB_TRANSFER_H_
#define QUANTRY_CLIENT_TRANSFER_BLOB_TRANSFER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/transfer/backoff.h"
#include "grpcpp/channel.h"
#include "quantry/v1/blob_service.grpc.pb.h"

namespace quantry::client {

struct TransferOptions {
  RetryOptions retry;
  int64_t chunk_bytes = 128 << 10;  // of one message of an upload; [1, 1 MiB]
  // Looked at between chunks and while waiting; true ends the transfer with CANCELLED. May be null.
  std::function<bool()> cancelled;
};

// Bytes that are at the other end, and bytes in all. Called on the calling thread.
using TransferProgress = std::function<void(int64_t done, int64_t total)>;

// Moves files to and from the server's content-addressed store. A transfer that breaks goes on
// where it stopped, until nothing has moved for retry.give_up_after. Thread-safe; calls block.
class BlobTransfer {
 public:
  explicit BlobTransfer(std::shared_ptr<grpc::Channel> channel, TransferOptions options = {});

  // Stores a file and returns its SHA-256; sends nothing if the server has that content already.
  // INVALID_ARGUMENT: the file is empty. Other errors: of reading the file, or the server's.
  absl::StatusOr<std::string> UploadFile(const std::filesystem::path& path,
                                         const TransferProgress& progress = nullptr) const;

  // Writes the blob to `path`, which appears only when complete and checked: bytes gather in `path`
  // +
  // ".part", which a later call continues. One call at a time per path. NOT_FOUND: no such blob.
  // DATA_LOSS: what came does not have the hash.
  absl::Status DownloadBlob(absl::string_view sha256, const std::filesystem::path& path,
                            const TransferProgress& progress = nullptr) const;

 private:
  struct Upload;
  struct Download;

  absl::StatusOr<v1::UploadStatus> StartUpload(const Upload& upload) const;
  absl::Status SendFrom(const v1::UploadStatus& status, Upload& upload) const;
  absl::Status Receive(Download& download) const;
  absl::Status CheckCancelled() const;
  // Waits before a repeat. Not OK: `error` is not transient, time is up, or it was cancelled.
  absl::Status WaitToRepeat(const absl::Status& error, Backoff& backoff) const;

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::BlobService::StubInterface> stub_;
  TransferOptions options_;
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_TRANSFER_BLOB_TRANSFER_H_
