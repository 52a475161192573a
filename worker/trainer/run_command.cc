#include "worker/trainer/run_command.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/distributed/process_group.h"
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

// Whether the ranks ended this one: what failed may be just how it came to notice.
absl::Status BlameLostRank(const absl::Status& status, const engine::Collective& ranks) {
  const absl::Status health = ranks.Health();
  // An operator's exchange with the others fails as operators do.
  const bool by_exchange = absl::IsInternal(status) || absl::IsUnavailable(status) ||
                           absl::IsInvalidArgument(status);
  if (health.ok() || !by_exchange) return status;
  return WithReason(absl::UnavailableError(absl::StrCat(
                        health.message(), "; the run can go on from its last checkpoint")),
                    "RANK_LOST");
}

// The run of one rank among others, or alone; its exit code.
int RunRank(const RunCommand& command, const RunOptions& options, EventSink& sink,
            engine::ProcessGroup* group) {
  Pipeline pipeline(
      options, command.output, sink, SystemClock(),
      [&sink] { return g_interrupted != 0 || sink.broken(); }, group);
  v1::TrainerEvent done;
  absl::Status status = CatchExceptions([&]() -> absl::Status {
    QUANTRY_ASSIGN_OR_RETURN(*done.mutable_result(), pipeline.Run());
    return absl::OkStatus();
  });
  if (group != nullptr) {
    if (!status.ok()) status = BlameLostRank(status, *group);
    group->Leave(status);
  }
  if (absl::IsCancelled(status)) {
    std::cerr << "quantry-trainer: " << status.message() << std::endl;
    return kExitInterrupted;
  }
  if (!status.ok()) return Fail(sink, status, kExitFailed);
  sink.Send(done);
  return kExitOk;
}

// Threads that wait for a rank that is lost never end, and nothing is left to be tidied up.
[[noreturn]] void ExitAtOnce(int exit_code) {
  std::cout.flush();
  std::_Exit(exit_code);
}

int RunWithOthers(const RunCommand& command, const engine::RankOptions& place,
                  const RunOptions& options, EventSink& sink) {
  auto group = engine::ProcessGroup::Join(place);
  if (!group.ok()) return Fail(sink, WithReason(group.status(), "RENDEZVOUS_FAILED"), kExitFailed);
  const int exit_code = RunRank(command, options, sink, group->get());
  if (!(*group)->Health().ok()) ExitAtOnce(exit_code);
  return exit_code;
}

void WarnOfDeviceCount(const v1::TrainerSpec& spec, int ranks, EventSink& sink) {
  const int wanted = spec.job().resources().device_count();
  if (wanted <= 1 || wanted == ranks) return;
  SendLog(sink, v1::LogLine::WARNING,
          absl::StrCat("resources.device_count is ", wanted, ", but this run has ", ranks,
                       ranks == 1 ? " process; see --world-size" : " processes"));
}

}  // namespace

int RunTraining(const RunCommand& command) {
  InstallSignalHandlers();
  const std::unique_ptr<EventSink> all = MakeSink(command);
  const auto place = FindPlace(command.ranks, ProcessEnvironment);
  if (!place.ok()) return Fail(*all, place.status(), kExitUsage);
  OtherRankSink other(*all);
  EventSink& sink = place->options.rank == 0 ? *all : other;
  const auto spec = ReadSpec(command);
  if (!spec.ok()) return Fail(sink, spec.status(), kExitUsage);
  auto options = SpecToOptions(*spec);
  if (!options.ok()) return Fail(sink, options.status(), kExitUsage);
  if (place->options.rank == 0) WarnOfUnusedOptions(*spec, sink);
  WarnOfDeviceCount(*spec, place->options.size, sink);
  DivideThreads(place->local_size, spec->job().training().has_threads(),
                spec->job().data().has_decode_threads(), *options);
  SetUpLibTorch(*options);
  if (place->options.size == 1) return RunRank(command, *options, sink, nullptr);
  return RunWithOthers(command, place->options, *options, sink);
}

}  // namespace quantry::trainer
