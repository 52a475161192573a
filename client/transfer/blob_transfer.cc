#include "client/transfer/blob_transfer.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/transfer/channel.h"
#include "client/transfer/grpc_status.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kUnaryDeadline = absl::Seconds(30);
constexpr int kMaxMismatches = 3;  // uploads that arrived changed, before it is given up

bool IsMismatch(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "HASH_MISMATCH" || reason == "SIZE_MISMATCH";
}

}  // namespace

// One upload, over all its tries.
struct BlobTransfer::Upload {
  fs::path path;
  std::string sha256;
  int64_t size = 0;
  int64_t acknowledged = 0;  // largest committed_size seen
  int mismatches = 0;
  Backoff backoff;
  const TransferProgress& progress;

  void Acknowledge(int64_t committed) {
    if (committed > acknowledged) {
      acknowledged = committed;
      backoff.Reset();
    }
    if (progress) progress(committed, size);
  }
};

// One download, over all its tries.
struct BlobTransfer::Download {
  std::string sha256;
  fs::path part;
  int64_t offset = 0;
  bool continued = false;  // `part` holds bytes of an earlier call
  std::ofstream file;
  std::optional<Sha256> hash;
  Backoff backoff;
  const TransferProgress& progress;

  // Takes up what an earlier call left in `part`.
  absl::Status Continue() {
    hash.emplace();
    std::ifstream old(part, std::ios::binary);
    std::string buffer(1 << 20, '\0');
    while (old) {
      old.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
      hash->Update(absl::string_view(buffer.data(), static_cast<size_t>(old.gcount())));
      offset += old.gcount();
    }
    continued = offset > 0;
    return Open(std::ios::app);
  }

  absl::Status Restart() {
    hash.emplace();
    offset = 0;
    continued = false;
    return Open(std::ios::trunc);
  }

  absl::Status Open(std::ios::openmode mode) {
    if (file.is_open()) file.close();
    file.clear();
    file.open(part, std::ios::binary | std::ios::out | mode);
    if (!file) return ErrnoToStatus(errno, absl::StrCat("cannot write ", part.string()));
    return absl::OkStatus();
  }

  absl::Status Append(const v1::DownloadResponse& response) {
    if (response.offset() != offset) {
      return absl::DataLossError(absl::StrCat("blob ", sha256, ": got offset ", response.offset(),
                                              " where ", offset, " was due"));
    }
    file.write(response.data().data(), static_cast<std::streamsize>(response.data().size()));
    if (!file) return ErrnoToStatus(errno, absl::StrCat("cannot write ", part.string()));
    hash->Update(response.data());
    offset += static_cast<int64_t>(response.data().size());
    if (!response.data().empty()) backoff.Reset();
    if (progress) progress(offset, response.size_bytes());
    return absl::OkStatus();
  }
};

BlobTransfer::BlobTransfer(std::shared_ptr<grpc::Channel> channel, TransferOptions options)
    : channel_(std::move(channel)),
      stub_(v1::BlobService::NewStub(channel_)),
      options_(std::move(options)) {}

absl::Status BlobTransfer::CheckCancelled() const {
  if (options_.cancelled && options_.cancelled()) {
    return absl::CancelledError("the transfer was cancelled");
  }
  return absl::OkStatus();
}

absl::Status BlobTransfer::WaitToRepeat(const absl::Status& error, Backoff& backoff) const {
  QUANTRY_RETURN_IF_ERROR(CheckCancelled());
  if (!IsTransient(error) || backoff.Expired()) return error;
  WaitForRetry(*channel_, backoff.Next(), options_.cancelled);
  return CheckCancelled();
}

absl::StatusOr<v1::UploadStatus> BlobTransfer::StartUpload(const Upload& upload) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kUnaryDeadline));
  v1::StartUploadRequest request;
  request.set_sha256(upload.sha256);
  request.set_size_bytes(upload.size);
  v1::UploadStatus response;
  QUANTRY_RETURN_IF_ERROR(FromGrpc(stub_->StartUpload(&context, request, &response)));
  return response;
}

absl::Status BlobTransfer::SendFrom(const v1::UploadStatus& status, Upload& upload) const {
  std::ifstream file(upload.path, std::ios::binary);
  file.seekg(status.committed_size());
  if (!file) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read ", upload.path.string(), " from ", status.committed_size()));
  }
  grpc::ClientContext context;
  v1::UploadStatus response;
  auto writer = stub_->Upload(&context, &response);
  int64_t offset = status.committed_size();
  v1::UploadRequest request;
  request.set_upload(status.upload());
  bool writable = true;
  do {
    if (absl::Status cancelled = CheckCancelled(); !cancelled.ok()) {
      context.TryCancel();
      static_cast<void>(writer->Finish());
      return cancelled;
    }
    std::string& data = *request.mutable_data();
    data.resize(static_cast<size_t>(std::min(options_.chunk_bytes, upload.size - offset)));
    file.read(data.data(), static_cast<std::streamsize>(data.size()));
    if (file.gcount() != static_cast<std::streamsize>(data.size())) {
      context.TryCancel();
      static_cast<void>(writer->Finish());
      return absl::FailedPreconditionError(
          absl::StrCat(upload.path.string(), " became shorter while it was sent"));
    }
    request.set_offset(offset);
    offset += static_cast<int64_t>(data.size());
    request.set_finish(offset == upload.size);
    writable = writer->Write(request);
    request.clear_upload();
    if (writable && upload.progress) upload.progress(offset, upload.size);
  } while (writable && offset < upload.size);
  if (writable) writer->WritesDone();
  QUANTRY_RETURN_IF_ERROR(FromGrpc(writer->Finish()));
  if (!response.complete()) {
    return absl::UnavailableError(
        absl::StrCat("upload ended at ", response.committed_size(), " of ", upload.size, " bytes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> BlobTransfer::UploadFile(const fs::path& path,
                                                     const TransferProgress& progress) const {
  Upload upload{.path = path, .backoff = Backoff(options_.retry), .progress = progress};
  QUANTRY_ASSIGN_OR_RETURN(upload.sha256, Sha256HexOfFile(path));
  std::error_code error;
  upload.size = static_cast<int64_t>(fs::file_size(path, error));
  if (error) return ErrnoToStatus(error.value(), absl::StrCat("cannot stat ", path.string()));
  if (upload.size == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), " is empty"));
  }
  while (true) {
    // StartUpload also answers a resumption: it names the same upload and how far it came.
    absl::StatusOr<v1::UploadStatus> status = StartUpload(upload);
    absl::Status result = status.status();
    if (status.ok()) {
      upload.Acknowledge(status->complete() ? upload.size : status->committed_size());
      if (status->complete()) return upload.sha256;
      result = SendFrom(*status, upload);
      if (result.ok()) return upload.sha256;
      const bool another_writer = ReasonOf(result) == "OFFSET_MISMATCH";
      if (another_writer || (IsMismatch(result) && ++upload.mismatches < kMaxMismatches)) {
        result = absl::AbortedError(result.message());
      }
    }
    if (absl::Status wait = WaitToRepeat(result, upload.backoff); !wait.ok()) {
      return WithContext(wait, absl::StrCat("upload of ", path.string()));
    }
  }
}

absl::Status BlobTransfer::Receive(Download& download) const {
  grpc::ClientContext context;
  v1::DownloadRequest request;
  request.set_sha256(download.sha256);
  request.set_offset(download.offset);
  auto reader = stub_->Download(&context, request);
  v1::DownloadResponse response;
  absl::Status local;
  while (local.ok() && reader->Read(&response)) {
    local = download.Append(response);
    if (local.ok()) local = CheckCancelled();
  }
  if (!local.ok()) context.TryCancel();
  const grpc::Status remote = reader->Finish();
  return local.ok() ? FromGrpc(remote) : local;
}

absl::Status BlobTransfer::DownloadBlob(absl::string_view sha256, const fs::path& path,
                                        const TransferProgress& progress) const {
  Download download{.sha256 = std::string(sha256),
                    .part = absl::StrCat(path.string(), ".part"),
                    .backoff = Backoff(options_.retry),
                    .progress = progress};
  QUANTRY_RETURN_IF_ERROR(download.Continue());
  while (true) {
    const absl::Status result = Receive(download);
    const bool refused_offset = result.code() == absl::StatusCode::kInvalidArgument ||
                                result.code() == absl::StatusCode::kOutOfRange;
    if (result.ok()) {
      download.file.close();
      if (!download.file) {
        return ErrnoToStatus(errno, absl::StrCat("cannot write ", download.part.string()));
      }
      if (download.hash->HexDigest() == sha256) return CommitFile(download.part, path);
    }
    if (result.ok() || refused_offset) {
      // Bytes that an earlier call left are not this blob's: once more, from the start.
      if (download.continued) {
        QUANTRY_RETURN_IF_ERROR(download.Restart());
        continue;
      }
      QUANTRY_RETURN_IF_ERROR(RemoveAll(download.part));
      if (!result.ok()) return WithContext(result, absl::StrCat("download of ", sha256));
      return absl::DataLossError(
          absl::StrCat("blob ", sha256, ": the bytes that came do not have this SHA-256"));
    }
    if (absl::Status wait = WaitToRepeat(result, download.backoff); !wait.ok()) {
      return WithContext(wait, absl::StrCat("download of ", sha256));
    }
  }
}

}  // namespace quantry::client
