#include "tests/client/transfer/fake_blob_service.h"

#include <algorithm>

#include "common/sha256.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantry::client {
namespace {

constexpr size_t kChunk = 1000;

grpc::Status Broken() { return {grpc::StatusCode::UNAVAILABLE, "the connection broke"}; }

}  // namespace

grpc::Status ErrorWithReason(grpc::StatusCode code, const std::string& reason,
                             const std::string& message) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("quantry");
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  details.add_details()->PackFrom(info);
  return {code, message, details.SerializeAsString()};
}

std::string FakeBlobService::Put(const std::string& content) {
  const std::string sha256 = Sha256Hex(content);
  PutDamaged(sha256, content);
  return sha256;
}

void FakeBlobService::PutDamaged(const std::string& sha256, const std::string& content) {
  absl::MutexLock lock(&mutex_);
  blobs_[sha256] = content;
}

bool FakeBlobService::Has(const std::string& sha256) {
  absl::MutexLock lock(&mutex_);
  return blobs_.count(sha256) > 0;
}

std::string FakeBlobService::Get(const std::string& sha256) {
  absl::MutexLock lock(&mutex_);
  const auto found = blobs_.find(sha256);
  return found == blobs_.end() ? "" : found->second;
}

void FakeBlobService::BreakAfter(int64_t bytes, int times) {
  absl::MutexLock lock(&mutex_);
  break_after_ = bytes;
  breaks_ = times;
}

void FakeBlobService::FlipBitInUploads(int times) {
  absl::MutexLock lock(&mutex_);
  flips_ = times;
}

int64_t FakeBlobService::bytes_received() {
  absl::MutexLock lock(&mutex_);
  return received_;
}

int64_t FakeBlobService::bytes_sent() {
  absl::MutexLock lock(&mutex_);
  return sent_;
}

int64_t FakeBlobService::TakeBudget() {
  if (breaks_ == 0) return std::numeric_limits<int64_t>::max();
  --breaks_;
  return break_after_;
}

grpc::Status FakeBlobService::StartUpload(grpc::ServerContext*,
                                          const v1::StartUploadRequest* request,
                                          v1::UploadStatus* response) {
  absl::MutexLock lock(&mutex_);
  sizes_[request->sha256()] = request->size_bytes();
  response->set_upload(request->sha256());
  response->set_complete(blobs_.count(request->sha256()) > 0);
  response->set_committed_size(static_cast<int64_t>(partial_[request->sha256()].size()));
  return grpc::Status::OK;
}

grpc::Status FakeBlobService::Upload(grpc::ServerContext*,
                                     grpc::ServerReader<v1::UploadRequest>* reader,
                                     v1::UploadStatus* response) {
  v1::UploadRequest request;
  std::string sha256;
  int64_t budget = -1;
  while (reader->Read(&request)) {
    absl::MutexLock lock(&mutex_);
    if (budget < 0) {
      sha256 = request.upload();
      budget = TakeBudget();
    }
    std::string& bytes = partial_[sha256];
    if (request.offset() != static_cast<int64_t>(bytes.size())) {
      return ErrorWithReason(grpc::StatusCode::FAILED_PRECONDITION, "OFFSET_MISMATCH", "offset");
    }
    if (flips_ > 0) {
      --flips_;
      (*request.mutable_data())[0] ^= 1;
    }
    bytes += request.data();
    received_ += static_cast<int64_t>(request.data().size());
    budget -= static_cast<int64_t>(request.data().size());
    if (budget <= 0) return Broken();
    if (!request.finish()) continue;
    std::string whole = std::move(bytes);
    partial_.erase(sha256);
    if (Sha256Hex(whole) != sha256) {
      return ErrorWithReason(grpc::StatusCode::INVALID_ARGUMENT, "HASH_MISMATCH", "hash");
    }
    blobs_[sha256] = std::move(whole);
    response->set_complete(true);
    return grpc::Status::OK;
  }
  return Broken();
}

grpc::Status FakeBlobService::Download(grpc::ServerContext*, const v1::DownloadRequest* request,
                                       grpc::ServerWriter<v1::DownloadResponse>* writer) {
  std::string content;
  int64_t budget = 0;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = blobs_.find(request->sha256());
    if (found == blobs_.end()) {
      return ErrorWithReason(grpc::StatusCode::NOT_FOUND, "BLOB_NOT_FOUND", "no such blob");
    }
    content = found->second;
    budget = TakeBudget();
  }
  if (request->offset() > static_cast<int64_t>(content.size())) {
    return ErrorWithReason(grpc::StatusCode::OUT_OF_RANGE, "OFFSET_OUT_OF_RANGE", "offset");
  }
  for (auto offset = static_cast<size_t>(request->offset()); offset < content.size();) {
    v1::DownloadResponse response;
    response.set_offset(static_cast<int64_t>(offset));
    response.set_size_bytes(static_cast<int64_t>(content.size()));
    response.set_data(content.substr(offset, kChunk));
    offset += response.data().size();
    writer->Write(response);
    absl::MutexLock lock(&mutex_);
    sent_ += static_cast<int64_t>(response.data().size());
    budget -= static_cast<int64_t>(response.data().size());
    if (budget <= 0) return Broken();
  }
  return grpc::Status::OK;
}

}  // namespace quantry::client
