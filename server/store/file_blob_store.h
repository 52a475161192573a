#ifndef QUANTRY_SERVER_STORE_FILE_BLOB_STORE_H_
#define QUANTRY_SERVER_STORE_FILE_BLOB_STORE_H_

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/store/blob_store.h"

namespace quantry::server {

// Blobs as files: FOLDER/blobs/SHA256, and FOLDER/partial/UPLOAD while they come in. A finished
// upload is hashed, fsynced and renamed, so that a crash leaves a whole blob or a partial upload
// that goes on where it was. Thread-safe; different uploads do not wait for each other.
class FileBlobStore final : public BlobStore {
 public:
  // Makes the folders where they are missing.
  static absl::StatusOr<std::unique_ptr<FileBlobStore>> Open(const std::filesystem::path& folder);

  absl::StatusOr<UploadState> Start(const std::string& sha256, int64_t size) override;
  absl::StatusOr<UploadState> Append(const std::string& upload, int64_t offset,
                                     absl::string_view data) override;
  absl::StatusOr<UploadState> Finish(const std::string& upload) override;
  absl::StatusOr<UploadState> Query(const std::string& upload) override;
  absl::StatusOr<int64_t> Size(const std::string& sha256) override;
  absl::StatusOr<std::unique_ptr<BlobReader>> Open(const std::string& sha256) override;

 private:
  class UploadLock;

  explicit FileBlobStore(const std::filesystem::path& folder)
      : blobs_(folder / "blobs"), partial_(folder / "partial") {}

  absl::StatusOr<UploadState> State(const UploadTarget& target) const;

  const std::filesystem::path blobs_;
  const std::filesystem::path partial_;
  absl::Mutex mutex_;
  std::set<std::string> busy_uploads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_FILE_BLOB_STORE_H_
