#ifndef QUANTRY_SERVER_RPC_BLOB_SERVICE_H_
#define QUANTRY_SERVER_RPC_BLOB_SERVICE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quantry/v1/blob_service.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/server_metrics.h"
#include "server/store/blob_store.h"

namespace quantry::server {

// quantry.v1.BlobService. Thread-safe; the references must outlive it.
class BlobService final : public v1::BlobService::Service {
 public:
  struct Limits {
    int64_t max_upload_bytes = 0;      // of one blob
    int64_t upload_bytes_per_day = 0;  // of each principal but workers; 0: no limit
  };

  BlobService(BlobStore& blobs, Limits limits, CallGate& gate, ServerMetrics& metrics,
              const Clock& clock)
      : blobs_(blobs),
        limits_(limits),
        uploads_(static_cast<double>(limits.upload_bytes_per_day) / (24.0 * 3600.0),
                 static_cast<double>(limits.upload_bytes_per_day)),
        gate_(gate),
        metrics_(metrics),
        clock_(clock) {}

  grpc::Status StartUpload(grpc::ServerContext* context, const v1::StartUploadRequest* request,
                           v1::UploadStatus* response) override;
  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadStatus* response) override;
  grpc::Status QueryWriteStatus(grpc::ServerContext* context,
                                const v1::QueryWriteStatusRequest* request,
                                v1::UploadStatus* response) override;
  grpc::Status Download(grpc::ServerContext* context, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::DownloadResponse>* writer) override;

 private:
  absl::StatusOr<v1::UploadStatus> Start(const v1::StartUploadRequest& request,
                                         const Principal& who);
  absl::StatusOr<v1::UploadStatus> Receive(grpc::ServerReader<v1::UploadRequest>& reader);
  absl::Status Send(const v1::DownloadRequest& request,
                    grpc::ServerWriter<v1::DownloadResponse>& writer);

  BlobStore& blobs_;
  const Limits limits_;
  RateLimiter uploads_;
  CallGate& gate_;
  ServerMetrics& metrics_;
  const Clock& clock_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_BLOB_SERVICE_H_
