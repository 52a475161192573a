#include "worker/trainer/run_command.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/trainer/event_sink.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/pipeline.h"
#include "worker/trainer/spec_to_options.h"

namespace quantry::trainer {
namespace {

constexpr int64_t kMaxSpecBytes = int64_t{16} << 20;

volatile std::sig_atomic_t g_interrupted = 0;

void OnSignal(int) { g_interrupted = 1; }

void InstallSignalHandlers() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, OnSignal);
  std::signal(SIGINT, OnSignal);
}

std::unique_ptr<EventSink> MakeSink(const RunCommand& command) {
  if (command.events_fd) return std::make_unique<PipeEventSink>(*command.events_fd);
  return std::make_unique<TextEventSink>(std::cout);
}

absl::StatusOr<v1::TrainerSpec> ReadSpec(const RunCommand& command) {
  const auto text = ReadFile(command.spec, kMaxSpecBytes);
  QUANTRY_RETURN_IF_ERROR(WithReason(text.status(), "SPEC_INVALID"));
  QUANTRY_ASSIGN_OR_RETURN(v1::TrainerSpec spec, ParseSpec(*text));
  if (!command.device.empty()) spec.set_device(command.device);
  return spec;
}

int Fail(EventSink& sink, const absl::Status& status, int exit_code) {
  v1::TrainerEvent event;
  *event.mutable_failure() = ToFailure(status);
  sink.Send(event);
  std::cerr << "quantry-trainer: " << event.failure().reason() << ": " << event.failure().message()
            << std::endl;
  return exit_code;
}

void WarnOfUnusedOptions(const v1::TrainerSpec& spec, EventSink& sink) {
  const std::vector<std::string> unused = UnusedOptions(spec);
  if (unused.empty()) return;
  SendLog(sink, v1::LogLine::WARNING,
          absl::StrCat("without effect in ", v1::Mode_Name(spec.job().mode()), ": ",
                       absl::StrJoin(unused, ", ")));
}

void SetUpLibTorch(const RunOptions& options) {
  at::set_num_threads(options.threads);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
}

}  // namespace

int RunTraining(const RunCommand& command) {
  InstallSignalHandlers();
  const std::unique_ptr<EventSink> sink = MakeSink(command);
  const auto spec = ReadSpec(command);
  if (!spec.ok()) return Fail(*sink, spec.status(), kExitUsage);
  const auto options = SpecToOptions(*spec);
  if (!options.ok()) return Fail(*sink, options.status(), kExitUsage);
  WarnOfUnusedOptions(*spec, *sink);
  SetUpLibTorch(*options);
  Pipeline pipeline(*options, command.output, *sink, SystemClock(),
                    [&sink] { return g_interrupted != 0 || sink->broken(); });
  v1::TrainerEvent done;
  const absl::Status status = CatchExceptions([&]() -> absl::Status {
    QUANTRY_ASSIGN_OR_RETURN(*done.mutable_result(), pipeline.Run());
    return absl::OkStatus();
  });
  if (absl::IsCancelled(status)) {
    std::cerr << "quantry-trainer: " << status.message() << std::endl;
    return kExitInterrupted;
  }
  if (!status.ok()) return Fail(*sink, status, kExitFailed);
  sink->Send(done);
  return kExitOk;
}

}  // namespace quantry::trainer
