#ifndef QUANTRY_TESTS_CLIENT_FAKE_SERVER_H_
#define QUANTRY_TESTS_CLIENT_FAKE_SERVER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "google/rpc/status.pb.h"
#include "quantry/v1/blob_service.grpc.pb.h"
#include "quantry/v1/capabilities.grpc.pb.h"
#include "quantry/v1/job_service.grpc.pb.h"

namespace quantry::client {

// A server that answers as a test tells it to, on a free port of the loopback device. It keeps what
// it was sent. Thread-safe.
class FakeServer : public v1::JobService::Service,
                   public v1::CapabilityService::Service,
                   public v1::BlobService::Service {
 public:
  // `address`: where to listen.
  explicit FakeServer(const std::string& address = "127.0.0.1:0");
  ~FakeServer() override;

  const std::string& address() const { return address_; }

  void AddJob(const v1::Job& job, std::vector<v1::Event> events);
  void AddBlob(const std::string& sha256, const std::string& bytes);
  // The next `count` calls of CreateJob are not answered but UNAVAILABLE, after they were recorded.
  void LoseCreateAnswers(int count);
  // CreateJob answers with this from now on.
  void RefuseCreate(const grpc::Status& status);
  // The n-th watch breaks with UNAVAILABLE after so many events; later ones go to the end.
  void BreakWatchesAfter(std::vector<int> events);
  // Watches leave out the event with this number, `times` times.
  void LeaveOutEvent(int64_t sequence, int times);

  std::vector<v1::CreateJobRequest> creates() const;
  std::vector<int64_t> watched_after() const;  // after_sequence of each watch
  int uploads() const;                         // streams that brought bytes
  std::string blob(const std::string& sha256) const;
  // Waits until so many watches have begun; false after 20 s.
  bool AwaitWatches(int count) const;

  grpc::Status CreateJob(grpc::ServerContext*, const v1::CreateJobRequest* request,
                         v1::Job* job) override;
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::Job* job) override;
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override;
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                         v1::Job* job) override;
  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::Event>* writer) override;
  grpc::Status GetCapabilities(grpc::ServerContext*, const v1::GetCapabilitiesRequest*,
                               v1::Capabilities* capabilities) override;
  grpc::Status StartUpload(grpc::ServerContext*, const v1::StartUploadRequest* request,
                           v1::UploadStatus* status) override;
  grpc::Status Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadStatus* status) override;
  grpc::Status Download(grpc::ServerContext*, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::DownloadResponse>* writer) override;

 private:
  // What one watch is to do.
  struct WatchPlan {
    std::vector<v1::Event> events;
    bool breaks = false;
    bool ended = false;  // the job is in a terminal state
  };
  WatchPlan PlanWatch(const v1::WatchJobRequest& request);

  mutable absl::Mutex mutex_;
  std::map<std::string, v1::Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<v1::Event>> events_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> blobs_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::CreateJobRequest> creates_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> watched_after_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> breaks_ ABSL_GUARDED_BY(mutex_);
  int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
  int left_out_times_ ABSL_GUARDED_BY(mutex_) = 0;
  int lost_answers_ ABSL_GUARDED_BY(mutex_) = 0;
  int uploads_ ABSL_GUARDED_BY(mutex_) = 0;
  grpc::Status refusal_ ABSL_GUARDED_BY(mutex_);

  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

// INVALID_ARGUMENT as the server sends it: with ErrorInfo and a BadRequest of two violations.
grpc::Status InvalidSpecError();

}  // namespace quantry::client

#endif  // QUANTRY_TESTS_CLIENT_FAKE_SERVER_H_
