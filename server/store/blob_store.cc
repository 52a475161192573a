#include "server/store/blob_store.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

constexpr size_t kHashLength = 64;

absl::Status UploadError(absl::string_view reason, absl::string_view field,
                         absl::string_view description) {
  return BadRequestError(reason, {{std::string(field), std::string(description)}});
}

}  // namespace

std::string UploadId(const UploadTarget& target) {
  return absl::StrCat(target.sha256, "-", target.size);
}

absl::StatusOr<UploadTarget> ParseUploadId(absl::string_view upload) {
  UploadTarget target;
  if (upload.size() > kHashLength + 1 && upload[kHashLength] == '-' &&
      IsSha256Hex(upload.substr(0, kHashLength)) &&
      absl::SimpleAtoi(upload.substr(kHashLength + 1), &target.size)) {
    target.sha256 = std::string(upload.substr(0, kHashLength));
    if (target.size > 0 && UploadId(target) == upload) return target;
  }
  return UploadNotFound(upload);
}

absl::Status BlobNotFound(absl::string_view sha256) {
  return MakeError(absl::StatusCode::kNotFound, "BLOB_NOT_FOUND",
                   absl::StrCat("no blob has the SHA-256 '", sha256.substr(0, 100), "'"));
}

absl::Status UploadNotFound(absl::string_view upload) {
  return MakeError(
      absl::StatusCode::kNotFound, "UPLOAD_NOT_FOUND",
      absl::StrCat("there is no upload '", upload.substr(0, 100), "'; begin one with StartUpload"));
}

absl::Status CheckAppend(const UploadTarget& target, int64_t committed_size, int64_t offset,
                         int64_t data_size) {
  if (offset != committed_size) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "OFFSET_MISMATCH",
                     absl::StrCat("offset is ", offset, "; the server has ", committed_size,
                                  " bytes: go on from there"),
                     {{"committed_size", absl::StrCat(committed_size)}});
  }
  if (data_size > target.size - offset) {
    return UploadError("SIZE_MISMATCH", "data",
                       absl::StrCat("ends at byte ", offset + data_size,
                                    ", but the upload was "
                                    "declared with ",
                                    target.size, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status CheckFinish(const UploadTarget& target, int64_t size, absl::string_view sha256) {
  if (size != target.size) {
    return UploadError(
        "SIZE_MISMATCH", "finish",
        absl::StrCat("came after ", size, " bytes, but the upload was declared with ", target.size,
                     "; start again at offset 0"));
  }
  if (sha256 != target.sha256) {
    return UploadError("HASH_MISMATCH", "data",
                       absl::StrCat("has the SHA-256 ", sha256, ", but ", target.sha256,
                                    " was declared; start again at offset 0"));
  }
  return absl::OkStatus();
}

absl::Status BlobDataLoss(absl::string_view sha256, absl::string_view why) {
  return MakeError(absl::StatusCode::kDataLoss, "BLOB_CORRUPT",
                   absl::StrCat("blob ", sha256, " is damaged in the store: ", why));
}

}  // namespace quantry::server
