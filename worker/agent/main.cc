// quantry-worker: takes jobs from a server and runs a trainer for each.
#include <prometheus/exposer.h>
#include <prometheus/registry.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "worker/agent/worker.h"

namespace quantry::agent {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

struct ProgramOptions {
  WorkerOptions worker;
  LogOptions log;
  std::string metrics;  // host:port of the Prometheus endpoint; empty: none
};

// The quantry-trainer beside this program.
std::filesystem::path DefaultTrainer() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "quantry-trainer" : self.parent_path() / "quantry-trainer";
}

void DefineFlags(CLI::App& app, ProgramOptions& options, double& stop_grace) {
  WorkerOptions& worker = options.worker;
  worker.trainer = DefaultTrainer();
  app.set_version_flag("--version", absl::StrCat("quantry-worker ", QUANTRY_VERSION));
  app.add_option("--server", worker.server.address, "Server's address, host:port")
      ->envname("QUANTRY_SERVER")
      ->capture_default_str();
  app.add_flag("--tls", worker.server.tls, "Encrypted; the server's certificate must be good")
      ->envname("QUANTRY_TLS");
  app.add_option("--tls-ca", worker.server.tls_ca,
                 "PEM file of who signs the server's certificate; default: the system's")
      ->envname("QUANTRY_TLS_CA");
  app.add_option("--tls-cert", worker.server.tls_cert, "PEM file with this worker's certificate")
      ->envname("QUANTRY_TLS_CERT");
  app.add_option("--tls-key", worker.server.tls_key, "PEM file with its key")
      ->envname("QUANTRY_TLS_KEY");
  app.add_option("--token-file", worker.server.token_file, "File with the worker's bearer token")
      ->envname("QUANTRY_TOKEN_FILE");
  app.add_option("--data-dir", worker.data_dir,
                 "Folder of this worker alone: identity, cache, jobs")
      ->envname("QUANTRY_WORKER_DATA_DIR")
      ->required();
  app.add_option("--device", worker.device,
                 "auto (every GPU that the trainer can use, or the CPU without one), cpu, cuda:N")
      ->envname("QUANTRY_DEVICE")
      ->capture_default_str();
  app.add_option("--metrics", options.metrics, "Address of the Prometheus endpoint, host:port")
      ->envname("QUANTRY_WORKER_METRICS");
  app.add_option("--dataset-root", worker.dataset_roots,
                 "Folder, or https://host/path/ or s3://bucket/, below which datasets may lie; "
                 "repeatable; none: anywhere")
      ->envname("QUANTRY_DATASET_ROOT");
  app.add_option("--trainer", worker.trainer, "The quantry-trainer program")
      ->envname("QUANTRY_TRAINER")
      ->capture_default_str();
  app.add_option("--cache-bytes", worker.cache_bytes, "Size of the model cache")
      ->envname("QUANTRY_CACHE_BYTES")
      ->capture_default_str();
  app.add_option("--dataset-cache-bytes", worker.dataset_cache_bytes,
                 "Size of the cache of datasets that are fetched")
      ->envname("QUANTRY_DATASET_CACHE_BYTES")
      ->capture_default_str();
  app.add_option("--stop-grace", stop_grace, "Seconds from SIGTERM to SIGKILL of a trainer")
      ->envname("QUANTRY_STOP_GRACE")
      ->capture_default_str();
  app.add_option("--log-format", options.log.format, "text, json")
      ->envname("QUANTRY_LOG_FORMAT")
      ->capture_default_str();
  app.add_option("--log-level", options.log.level, "debug, info, warning, error")
      ->envname("QUANTRY_LOG_LEVEL")
      ->capture_default_str();
}

// Serves `registry` at `address`. Null for an empty address.
absl::StatusOr<std::unique_ptr<prometheus::Exposer>> ServeMetrics(
    const std::string& address, const std::shared_ptr<prometheus::Registry>& registry) {
  if (address.empty()) return nullptr;
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, 1);
    exposer->RegisterCollectable(registry);
    for (const int port : exposer->GetListeningPorts()) {
      spdlog::info("metrics served port={}", port);
    }
    return exposer;
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve metrics at '", address, "': ", error.what()));
  }
}

// Runs the worker until SIGTERM or SIGINT, both of which are blocked in every thread.
absl::Status RunUntilSignal(const ProgramOptions& options, const sigset_t& signals) {
  const auto registry = std::make_shared<prometheus::Registry>();
  QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<Worker> worker,
                           Worker::Create(options.worker, *registry));
  QUANTRY_ASSIGN_OR_RETURN(const auto exposer, ServeMetrics(options.metrics, registry));
  spdlog::info("worker started version={} worker={} server={} devices={} trainer={}",
               QUANTRY_VERSION, worker->id(), options.worker.server.address,
               absl::StrJoin(worker->devices(), ",",
                             [](std::string* out, const v1::Device& device) {
                               absl::StrAppend(out, device.id());
                             }),
               options.worker.trainer.string());
  std::thread runner([&worker] { worker->Run(); });
  int number = 0;
  while (sigwait(&signals, &number) != 0) {
  }
  spdlog::info("stopping signal={}", number);
  worker->Stop();
  runner.join();
  spdlog::info("stopped");
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Quantry worker: takes jobs from a server and runs them.", "quantry-worker");
  ProgramOptions options;
  double stop_grace = absl::ToDoubleSeconds(options.worker.stop_grace);
  DefineFlags(app, options, stop_grace);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  options.worker.stop_grace = absl::Seconds(stop_grace);
  if (absl::Status status = InitLogging(options.log); !status.ok()) {
    std::cerr << "quantry-worker: " << status.message() << '\n';
    return kExitUsage;
  }
  // Before any thread exists, so that all inherit the mask.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  if (absl::Status status = RunUntilSignal(options, signals); !status.ok()) {
    spdlog::error("worker failed error=\"{}\"", status.ToString());
    return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailure;
  }
  return 0;
}

}  // namespace
}  // namespace quantry::agent

int main(int argc, char** argv) { return quantry::agent::Main(argc, argv); }
