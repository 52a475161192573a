#ifndef QUANTRY_SERVER_RPC_SERVER_H_
#define QUANTRY_SERVER_RPC_SERVER_H_

#include <grpcpp/server.h>
#include <prometheus/exposer.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "server/rpc/admin_service.h"
#include "server/rpc/audit_log.h"
#include "server/rpc/authenticator.h"
#include "server/rpc/blob_service.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/capability_service.h"
#include "server/rpc/control_state.h"
#include "server/rpc/job_controller.h"
#include "server/rpc/job_service.h"
#include "server/rpc/jobs_collector.h"
#include "server/rpc/lease_controller.h"
#include "server/rpc/queue_keeper.h"
#include "server/rpc/tls.h"
#include "server/rpc/worker_service.h"
#include "server/store/quota_store.h"

namespace quantry::server {

struct ServerOptions {
  std::string listen = "127.0.0.1:7070";  // HOST:PORT of gRPC; port 0: any free one
  std::string metrics;                    // HOST:PORT of Prometheus' endpoint; empty: none
  absl::Duration lease_duration = absl::Seconds(30);  // at least 1 s
  int64_t max_upload_bytes = int64_t{4} << 30;        // > 0
  absl::Duration retention = absl::Hours(7 * 24);     // of deleted jobs; not negative

  TlsFiles tls;
  Authenticator::Options authentication;
  // Listen where others can reach it without TLS or without knowing who calls.
  bool allow_insecure = false;
  double calls_per_second = 0;       // of each principal but workers; 0: no limit
  int64_t upload_bytes_per_day = 0;  // likewise
  std::filesystem::path audit_log;   // empty: none
};

// Where a server keeps things.
struct Stores {
  JobStore& jobs;
  BlobStore& blobs;
  TokenStore& tokens;
  QuotaStore& quotas;
};

// A running quantry-server: the gRPC services, health and reflection, the Prometheus endpoint and
// the thread that ends leases. Thread-safe.
class Server {
 public:
  // Starts to serve. The stores and the clock must outlive the server. UNAVAILABLE, naming the
  // address, if it can't be listened on; INVALID_ARGUMENT for wrong options.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const Stores& stores, const Clock& clock);

  // INVALID_ARGUMENT for options that no server would start with.
  static absl::Status CheckOptions(const ServerOptions& options);

  // Drains with a short grace if that was not done.
  ~Server();

  // HOST:PORT with the real port.
  const std::string& listen_address() const { return listen_address_; }
  const std::string& metrics_address() const { return metrics_address_; }

  // Ends the service in order: health says NOT_SERVING, streams and long polls end with what tells
  // the caller to come back, calls in progress get `grace` to finish, then are cut. Once.
  void Drain(absl::Duration grace);

  // Does what is due now, as the server's own thread does about every second: leases that are over,
  // jobs that wait, deleted jobs.
  void Sweep();

 private:
  Server(const ServerOptions& options, const Stores& stores, std::unique_ptr<AuditLog> audit,
         const Clock& clock);

  absl::Status StartGrpc(const ServerOptions& options);
  absl::Status StartMetrics(const ServerOptions& options);
  // Wakes who waits for what another server has changed.
  void OnChange(const JobStore::Change& change);
  void SweepUntilStopped(absl::Duration period);

  ControlState state_;
  const std::unique_ptr<AuditLog> audit_;
  Authenticator authenticator_;
  CallGate gate_;
  JobController jobs_;
  LeaseController leases_;
  QueueKeeper queue_keeper_;
  JobService job_service_;
  WorkerService worker_service_;
  BlobService blob_service_;
  CapabilityService capability_service_;
  AdminService admin_service_;
  std::shared_ptr<JobsCollector> collector_;

  std::string listen_address_;
  std::string metrics_address_;
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::unique_ptr<grpc::Server> grpc_;
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread sweeper_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_SERVER_H_
