#include "server/rpc/blob_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"
#include "server/core/violations.h"

namespace quantry::server {
namespace {

constexpr int64_t kMaxChunk = 1 << 20;
constexpr int64_t kDownloadChunk = 128 << 10;

v1::UploadStatus ToMessage(const BlobStore::UploadState& state) {
  v1::UploadStatus status;
  status.set_upload(state.upload);
  status.set_committed_size(state.committed_size);
  status.set_complete(state.complete);
  return status;
}

absl::Status CheckChunk(const v1::UploadRequest& chunk, const std::string& upload) {
  Violations violations;
  violations.Require(static_cast<int64_t>(chunk.data().size()) <= kMaxChunk, "data",
                     absl::StrCat(chunk.data().size(), " bytes long"), "at most 1 MiB");
  violations.Require(chunk.upload().empty() || chunk.upload() == upload, "upload",
                     absl::StrCat("'", chunk.upload().substr(0, 80), "'"),
                     "one upload per call, named by the first message");
  return violations.ToStatus("INVALID_CHUNK");
}

}  // namespace

grpc::Status BlobService::StartUpload(grpc::ServerContext* context,
                                      const v1::StartUploadRequest* request,
                                      v1::UploadStatus* response) {
  return gate_.Unary(context, "BlobService/StartUpload", *request, response,
                     [&](const Principal& who) { return Start(*request, who); });
}

absl::StatusOr<v1::UploadStatus> BlobService::Start(const v1::StartUploadRequest& request,
                                                    const Principal& who) {
  Violations violations;
  violations.Require(IsSha256Hex(request.sha256()), "sha256",
                     absl::StrCat("'", request.sha256().substr(0, 80), "'"),
                     "64 lower-case hex digits");
  violations.Require(request.size_bytes() > 0 && request.size_bytes() <= limits_.max_upload_bytes,
                     "size_bytes", request.size_bytes(),
                     absl::StrCat("1 to ", limits_.max_upload_bytes, ", this deployment's limit"));
  QUANTRY_RETURN_IF_ERROR(violations.ToStatus("INVALID_UPLOAD"));
  QUANTRY_ASSIGN_OR_RETURN(const auto state, blobs_.Start(request.sha256(), request.size_bytes()));
  // Only what is new to the server counts; a worker's results are not its own.
  const bool counts = !state.complete && state.committed_size == 0 && who.role != v1::ROLE_WORKER;
  if (counts) {
    const absl::Duration wait =
        uploads_.Take(who.name, static_cast<double>(request.size_bytes()), clock_.Monotonic());
    if (wait > absl::ZeroDuration()) {
      return WithRetryDelay(
          QuotaError("UPLOAD_QUOTA", who.name,
                     absl::StrCat(who.name, " has uploaded ", limits_.upload_bytes_per_day,
                                  " bytes within a day, as many as it may; wait ",
                                  absl::FormatDuration(wait))),
          wait);
    }
  }
  return ToMessage(state);
}

grpc::Status BlobService::Upload(grpc::ServerContext* context,
                                 grpc::ServerReader<v1::UploadRequest>* reader,
                                 v1::UploadStatus* response) {
  return gate_.Run(
      *context, "BlobService/Upload", [] { return std::string(); },
      [&](const Principal&) -> absl::Status {
        QUANTRY_ASSIGN_OR_RETURN(*response, Receive(*reader));
        return absl::OkStatus();
      });
}

absl::StatusOr<v1::UploadStatus> BlobService::Receive(
    grpc::ServerReader<v1::UploadRequest>& reader) {
  v1::UploadRequest chunk;
  if (!reader.Read(&chunk)) {
    return BadRequestError("INVALID_CHUNK", {{"upload", "is missing: no message was sent"}});
  }
  const std::string upload = chunk.upload();
  QUANTRY_ASSIGN_OR_RETURN(BlobStore::UploadState state, blobs_.Query(upload));
  do {
    if (state.complete) break;
    QUANTRY_RETURN_IF_ERROR(CheckChunk(chunk, upload));
    QUANTRY_ASSIGN_OR_RETURN(state, blobs_.Append(upload, chunk.offset(), chunk.data()));
    metrics_.RecordBytesIn(static_cast<int64_t>(chunk.data().size()));
    if (chunk.finish()) {
      QUANTRY_ASSIGN_OR_RETURN(state, blobs_.Finish(upload));
      break;
    }
  } while (reader.Read(&chunk));
  return ToMessage(state);
}

grpc::Status BlobService::QueryWriteStatus(grpc::ServerContext* context,
                                           const v1::QueryWriteStatusRequest* request,
                                           v1::UploadStatus* response) {
  return gate_.Unary(context, "BlobService/QueryWriteStatus", *request, response,
                     [&](const Principal&) -> absl::StatusOr<v1::UploadStatus> {
                       QUANTRY_ASSIGN_OR_RETURN(const auto state, blobs_.Query(request->upload()));
                       return ToMessage(state);
                     });
}

grpc::Status BlobService::Download(grpc::ServerContext* context, const v1::DownloadRequest* request,
                                   grpc::ServerWriter<v1::DownloadResponse>* writer) {
  return gate_.Run(
      *context, "BlobService/Download", [&] { return request->sha256().substr(0, 64); },
      [&](const Principal&) { return Send(*request, *writer); });
}

absl::Status BlobService::Send(const v1::DownloadRequest& request,
                               grpc::ServerWriter<v1::DownloadResponse>& writer) {
  QUANTRY_ASSIGN_OR_RETURN(const auto reader, blobs_.Open(request.sha256()));
  if (request.offset() < 0 || request.offset() > reader->size()) {
    return MakeError(absl::StatusCode::kOutOfRange, "OFFSET_OUT_OF_RANGE",
                     absl::StrCat("offset is ", request.offset(), "; allowed: 0 to ",
                                  reader->size(), ", the blob's size"));
  }
  // The bytes before the offset are read too: only the whole blob has the hash.
  int64_t position = 0;
  while (true) {
    const int64_t want = position < request.offset()
                             ? std::min(kDownloadChunk, request.offset() - position)
                             : kDownloadChunk;
    QUANTRY_ASSIGN_OR_RETURN(std::string piece, reader->Read(want));
    if (piece.empty()) return absl::OkStatus();
    const int64_t offset = position;
    position += static_cast<int64_t>(piece.size());
    if (offset < request.offset()) continue;
    metrics_.RecordBytesOut(static_cast<int64_t>(piece.size()));
    v1::DownloadResponse response;
    response.set_offset(offset);
    response.set_size_bytes(reader->size());
    response.set_data(std::move(piece));
    if (!writer.Write(response)) return absl::CancelledError("the caller went away");
  }
}

}  // namespace quantry::server
