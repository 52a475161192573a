#ifndef QUANTRY_SERVER_RPC_BLOB_SERVICE_H_
#define QUANTRY_SERVER_RPC_BLOB_SERVICE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quantry/v1/blob_service.grpc.pb.h"
#include "server/rpc/server_metrics.h"
#include "server/store/blob_store.h"

namespace quantry::server {

// quantry.v1.BlobService. Thread-safe; the references must outlive it.
class BlobService final : public v1::BlobService::Service {
 public:
  BlobService(BlobStore& blobs, int64_t max_upload_bytes, ServerMetrics& metrics)
      : blobs_(blobs), max_upload_bytes_(max_upload_bytes), metrics_(metrics) {}

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
  absl::StatusOr<v1::UploadStatus> Receive(grpc::ServerReader<v1::UploadRequest>& reader);
  absl::Status Send(const v1::DownloadRequest& request,
                    grpc::ServerWriter<v1::DownloadResponse>& writer);

  BlobStore& blobs_;
  const int64_t max_upload_bytes_;
  ServerMetrics& metrics_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_BLOB_SERVICE_H_
