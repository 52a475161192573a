#include "server/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/core/error_details.h"

namespace quantry::server {
namespace {

constexpr int kMaxMessageBytes = 4 << 20;
constexpr int kKeepaliveTimeMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kMinPingIntervalMs = 5'000;
// gRPC adds a jitter of 10 % of its own.
constexpr int kMaxConnectionAgeMs = 3'600'000;
constexpr int kConnectionAgeGraceMs = 300'000;
constexpr absl::Duration kDestructorGrace = absl::Milliseconds(200);

const char* const kServices[] = {"quantry.v1.JobService", "quantry.v1.BlobService",
                                 "quantry.v1.WorkerService", "quantry.v1.CapabilityService",
                                 "quantry.v1.AdminService"};

// `address` ("HOST:PORT") with another port.
std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

absl::Status CannotListen(const std::string& address, absl::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable, "ADDRESS_UNAVAILABLE",
                   absl::StrCat("cannot listen on ", address, why));
}

}  // namespace

absl::Status Server::CheckOptions(const ServerOptions& options) {
  if (options.lease_duration < absl::Seconds(1)) {
    return absl::InvalidArgumentError(absl::StrCat("lease duration is ",
                                                   absl::FormatDuration(options.lease_duration),
                                                   "; allowed: 1 s or more"));
  }
  if (options.max_upload_bytes <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("max upload size is ", options.max_upload_bytes, "; allowed: 1 byte or more"));
  }
  if (options.tls.certificate.empty() != options.tls.key.empty()) {
    return absl::InvalidArgumentError(
        "of the TLS certificate and its key only one is given; allowed: both or none");
  }
  const bool guarded = options.tls.enabled() && options.authentication.required;
  if (guarded || options.allow_insecure || IsLoopback(options.listen)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "listen is ", options.listen, ", which other machines can reach, without ",
      options.tls.enabled() ? "authentication" : "TLS",
      "; give --tls-cert and --tls-key, and --root-token-file or --tls-client-ca; listen on "
      "127.0.0.1; or say --allow-insecure where the network itself is guarded"));
}

Server::Server(const ServerOptions& options, const Stores& stores, std::unique_ptr<AuditLog> audit,
               const Clock& clock)
    : state_(stores.jobs, stores.blobs, clock, options.lease_duration),
      audit_(std::move(audit)),
      authenticator_(options.authentication, &stores.tokens, clock),
      gate_(authenticator_, options.calls_per_second, *audit_, state_.metrics, clock),
      jobs_(state_, options.retention, std::random_device{}()),
      leases_(state_),
      queue_keeper_(state_, stores.quotas),
      job_service_(jobs_, gate_),
      worker_service_(leases_, gate_),
      blob_service_(stores.blobs,
                    {.max_upload_bytes = options.max_upload_bytes,
                     .upload_bytes_per_day = options.upload_bytes_per_day},
                    gate_, state_.metrics, clock),
      capability_service_(state_, options.max_upload_bytes, gate_),
      admin_service_(stores.tokens, stores.quotas, state_, authenticator_, gate_),
      collector_(std::make_shared<JobsCollector>(stores.jobs)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const Stores& stores, const Clock& clock) {
  QUANTRY_RETURN_IF_ERROR(CheckOptions(options));
  QUANTRY_ASSIGN_OR_RETURN(auto audit, AuditLog::Open(options.audit_log));
  std::unique_ptr<Server> server(new Server(options, stores, std::move(audit), clock));
  QUANTRY_RETURN_IF_ERROR(server->leases_.Load());
  QUANTRY_RETURN_IF_ERROR(stores.jobs.Listen(
      [raw = server.get()](const JobStore::Change& change) { raw->OnChange(change); }));
  QUANTRY_RETURN_IF_ERROR(server->StartMetrics(options));
  QUANTRY_RETURN_IF_ERROR(server->StartGrpc(options));
  const absl::Duration period =
      std::clamp(options.lease_duration / 10, absl::Milliseconds(100), absl::Seconds(1));
  server->sweeper_ = std::thread([raw = server.get(), period] { raw->SweepUntilStopped(period); });
  return server;
}

absl::Status Server::StartGrpc(const ServerOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  QUANTRY_ASSIGN_OR_RETURN(const auto credentials, MakeServerCredentials(options.tls));
  builder.AddListeningPort(options.listen, credentials, &port);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kMaxConnectionAgeMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kConnectionAgeGraceMs);
  builder.RegisterService(&job_service_);
  builder.RegisterService(&blob_service_);
  builder.RegisterService(&worker_service_);
  builder.RegisterService(&capability_service_);
  builder.RegisterService(&admin_service_);
  grpc_ = builder.BuildAndStart();
  if (grpc_ == nullptr || port == 0) return CannotListen(options.listen, "");
  for (const char* service : kServices) {
    grpc_->GetHealthCheckService()->SetServingStatus(service, true);
  }
  listen_address_ = WithPort(options.listen, port);
  return absl::OkStatus();
}

absl::Status Server::StartMetrics(const ServerOptions& options) {
  if (options.metrics.empty()) return absl::OkStatus();
  try {
    exposer_ = std::make_unique<prometheus::Exposer>(options.metrics, 1);
    exposer_->RegisterCollectable(state_.metrics.registry());
    exposer_->RegisterCollectable(collector_);
    metrics_address_ = WithPort(options.metrics, exposer_->GetListeningPorts().at(0));
  } catch (const std::exception& error) {
    return CannotListen(options.metrics, absl::StrCat(": ", error.what()));
  }
  return absl::OkStatus();
}

void Server::OnChange(const JobStore::Change& change) {
  if (change.job_id.empty()) {
    state_.notifier.NotifyAll();
    return;
  }
  state_.notifier.Notify(change.job_id);
  if (change.queued) state_.notifier.Notify(kQueueTopic);
}

void Server::Sweep() {
  leases_.Sweep();
  queue_keeper_.Run();
  jobs_.Purge();
}

void Server::SweepUntilStopped(absl::Duration period) {
  std::unique_lock lock(mutex_);
  while (
      !stop_changed_.wait_for(lock, absl::ToChronoNanoseconds(period), [&] { return stopping_; })) {
    lock.unlock();
    Sweep();
    lock.lock();
  }
}

void Server::Drain(absl::Duration grace) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  stop_changed_.notify_all();
  if (grpc_ != nullptr) {
    grpc_->GetHealthCheckService()->Shutdown();
    state_.notifier.Shutdown();
    grpc_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(grace));
    grpc_->Wait();
  }
  if (sweeper_.joinable()) sweeper_.join();
  state_.jobs.StopListening();
  exposer_.reset();
}

Server::~Server() { Drain(kDestructorGrace); }

}  // namespace quantry::server
