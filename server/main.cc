#include <pthread.h>
#include <spdlog/spdlog.h>

#include <csignal>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "server/data_folder.h"
#include "server/rpc/server.h"
#include "server/server_command.h"
#include "server/store/file_blob_store.h"
#include "server/store/sql_job_store.h"
#include "server/store/token_store.h"

namespace quantry::server {
namespace {

constexpr absl::Duration kDrainGrace = absl::Seconds(10);

// SIGTERM and SIGINT are blocked in every thread and taken by WaitForStop.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int WaitForStop(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

absl::Status Serve(const ServerCommand& command) {
  const sigset_t signals = BlockStopSignals();
  QUANTRY_ASSIGN_OR_RETURN(const auto folder, DataFolder::Open(command.data_dir));
  QUANTRY_ASSIGN_OR_RETURN(const auto database, command.database.empty()
                                                    ? SqlDatabase::OpenSqlite(folder->database())
                                                    : SqlDatabase::OpenPostgres(command.database));
  SqlJobStore jobs(database);
  TokenStore tokens(database);
  QuotaStore quotas(database);
  const auto& blob_folder = command.blobs.empty() ? folder->path() : command.blobs;
  QUANTRY_ASSIGN_OR_RETURN(const auto blobs, FileBlobStore::Open(blob_folder));
  QUANTRY_ASSIGN_OR_RETURN(
      const auto server,
      Server::Start(command.server, {jobs, *blobs, tokens, quotas}, SystemClock()));
  QUANTRY_RETURN_IF_ERROR(
      folder->PublishAddresses(server->listen_address(), server->metrics_address()));
  spdlog::info("serving listen={} metrics={} data_dir={} version={}", server->listen_address(),
               server->metrics_address(), folder->path().string(), QUANTRY_VERSION);
  const int signal = WaitForStop(signals);
  spdlog::info("draining signal={}", signal);
  QUANTRY_RETURN_IF_ERROR(folder->RemoveAddresses());
  server->Drain(kDrainGrace);
  spdlog::info("stopped");
  return absl::OkStatus();
}

int Main(int argc, const char* const* argv) {
  int exit_code = 0;
  const auto command = ParseServerCommand(argc, argv, exit_code);
  if (!command.has_value()) return exit_code;
  absl::Status status = InitLogging(command->log);
  if (status.ok()) status = Serve(*command);
  if (status.ok()) return 0;
  spdlog::error("quantry-server failed error=\"{}\"", status.ToString());
  return 1;
}

}  // namespace
}  // namespace quantry::server

int main(int argc, char** argv) { return quantry::server::Main(argc, argv); }
