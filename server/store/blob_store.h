#ifndef QUANTRY_SERVER_STORE_BLOB_STORE_H_
#define QUANTRY_SERVER_STORE_BLOB_STORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quantry::server {

// Reads a blob from its first byte on, checking as it goes. Not thread-safe.
class BlobReader {
 public:
  virtual ~BlobReader() = default;

  virtual int64_t size() const = 0;

  // The next at most `max_bytes` bytes; empty at the end. DATA_LOSS at the end if the bytes read do
  // not have the blob's hash, or where the stored file has another size.
  virtual absl::StatusOr<std::string> Read(int64_t max_bytes) = 0;
};

// Content-addressed bytes: a blob's name is its SHA-256 as 64 lower-case hex digits. A blob is
// visible only when it is whole, checked and durable, and never changes. Thread-safe.
class BlobStore {
 public:
  // How far an upload is.
  struct UploadState {
    std::string upload;          // its id, the same for the same content
    int64_t committed_size = 0;  // bytes that the store has
    bool complete = false;       // the blob is visible
  };

  virtual ~BlobStore() = default;

  // Begins or continues the upload of these bytes. `sha256` and `size` (> 0) must be valid.
  virtual absl::StatusOr<UploadState> Start(const std::string& sha256, int64_t size) = 0;

  // Adds bytes at `offset`, which must be the upload's committed_size: else FAILED_PRECONDITION
  // with reason OFFSET_MISMATCH (metadata committed_size). INVALID_ARGUMENT with reason
  // SIZE_MISMATCH for more bytes than declared. NOT_FOUND for an upload that was not begun.
  virtual absl::StatusOr<UploadState> Append(const std::string& upload, int64_t offset,
                                             absl::string_view data) = 0;

  // Checks size and hash and makes the blob visible. INVALID_ARGUMENT with reason SIZE_MISMATCH or
  // HASH_MISMATCH: what was sent is forgotten, and the upload starts again at 0.
  virtual absl::StatusOr<UploadState> Finish(const std::string& upload) = 0;

  virtual absl::StatusOr<UploadState> Query(const std::string& upload) = 0;

  // The size of a visible blob; NOT_FOUND with reason BLOB_NOT_FOUND.
  virtual absl::StatusOr<int64_t> Size(const std::string& sha256) = 0;

  // NOT_FOUND with reason BLOB_NOT_FOUND.
  virtual absl::StatusOr<std::unique_ptr<BlobReader>> Open(const std::string& sha256) = 0;
};

// What an upload's id says: it is "SHA256-SIZE". Opaque to clients.
struct UploadTarget {
  std::string sha256;
  int64_t size = 0;
};
std::string UploadId(const UploadTarget& target);
// NOT_FOUND with reason UPLOAD_NOT_FOUND for anything else than what UploadId makes.
absl::StatusOr<UploadTarget> ParseUploadId(absl::string_view upload);

// The errors that every implementation gives.
absl::Status BlobNotFound(absl::string_view sha256);
absl::Status UploadNotFound(absl::string_view upload);
absl::Status CheckAppend(const UploadTarget& target, int64_t committed_size, int64_t offset,
                         int64_t data_size);
absl::Status CheckFinish(const UploadTarget& target, int64_t size, absl::string_view sha256);
absl::Status BlobDataLoss(absl::string_view sha256, absl::string_view why);

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_BLOB_STORE_H_
