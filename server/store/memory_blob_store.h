#ifndef QUANTRY_SERVER_STORE_MEMORY_BLOB_STORE_H_
#define QUANTRY_SERVER_STORE_MEMORY_BLOB_STORE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/store/blob_store.h"

namespace quantry::server {

// A BlobStore that ends with the process: for tests. Thread-safe.
class MemoryBlobStore final : public BlobStore {
 public:
  absl::StatusOr<UploadState> Start(const std::string& sha256, int64_t size) override;
  absl::StatusOr<UploadState> Append(const std::string& upload, int64_t offset,
                                     absl::string_view data) override;
  absl::StatusOr<UploadState> Finish(const std::string& upload) override;
  absl::StatusOr<UploadState> Query(const std::string& upload) override;
  absl::StatusOr<int64_t> Size(const std::string& sha256) override;
  absl::StatusOr<std::unique_ptr<BlobReader>> Open(const std::string& sha256) override;

 private:
  absl::StatusOr<UploadState> State(const std::string& upload) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  std::map<std::string, std::string> uploads_ ABSL_GUARDED_BY(mutex_);  // id -> bytes so far
  std::map<std::string, std::string> blobs_ ABSL_GUARDED_BY(mutex_);    // SHA-256 -> bytes
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_MEMORY_BLOB_STORE_H_
