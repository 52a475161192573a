#ifndef QUANTRY_TESTS_CLIENT_TRANSFER_FAKE_BLOB_SERVICE_H_
#define QUANTRY_TESTS_CLIENT_TRANSFER_FAKE_BLOB_SERVICE_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "quantry/v1/blob_service.grpc.pb.h"

namespace quantry::client {

// Blobs in memory, with faults on demand. Thread-safe.
class FakeBlobService final : public v1::BlobService::Service {
 public:
  // Stores a blob; returns its SHA-256.
  std::string Put(const std::string& content);
  // Stores `content` under a SHA-256 that is not its own.
  void PutDamaged(const std::string& sha256, const std::string& content);
  bool Has(const std::string& sha256);
  std::string Get(const std::string& sha256);

  // The next `times` uploads and downloads end with UNAVAILABLE after `bytes` each.
  void BreakAfter(int64_t bytes, int times);
  // The next `times` uploads lose a bit on the way.
  void FlipBitInUploads(int times);
  int64_t bytes_received();
  int64_t bytes_sent();

  grpc::Status StartUpload(grpc::ServerContext*, const v1::StartUploadRequest* request,
                           v1::UploadStatus* response) override;
  grpc::Status Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadStatus* response) override;
  grpc::Status Download(grpc::ServerContext*, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::DownloadResponse>* writer) override;

 private:
  // How many bytes this call may move.
  int64_t TakeBudget() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  std::map<std::string, std::string> blobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> partial_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int64_t> sizes_ ABSL_GUARDED_BY(mutex_);
  int64_t break_after_ ABSL_GUARDED_BY(mutex_) = 0;
  int breaks_ ABSL_GUARDED_BY(mutex_) = 0;
  int flips_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t received_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
};

// An error with ErrorInfo as the server makes it.
grpc::Status ErrorWithReason(grpc::StatusCode code, const std::string& reason,
                             const std::string& message);

}  // namespace quantry::client

#endif  // QUANTRY_TESTS_CLIENT_TRANSFER_FAKE_BLOB_SERVICE_H_
