// Stands in for quantry-trainer in the worker's tests: the job's display_name says what it does.
#include <google/protobuf/util/json_util.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "common/delimited.h"
#include "common/files.h"
#include "common/sha256.h"
#include "quantry/v1/trainer.pb.h"

namespace {

volatile sig_atomic_t interrupted = 0;

class FakeTrainer {
 public:
  FakeTrainer(std::filesystem::path output, int events_fd, quantry::v1::TrainerSpec spec)
      : output_(std::move(output)), events_fd_(events_fd), spec_(std::move(spec)) {}

  int Run() {
    const std::string& what = spec_.job().display_name();
    Progress(0);
    if (what == "succeed") return Succeed();
    if (what == "flood") return Flood();
    if (what == "fail") return Fail();
    if (what == "crash") {
      std::cerr << "about to crash \xff\n" << std::flush;
      abort();
    }
    if (what == "mute") return 0;
    if (what == "garbage") {
      const bool written = write(events_fd_, "\xff\xff\xff\xff\xff", 5) == 5;
      return written ? 0 : 1;
    }
    if (what == "ignore_term") {
      signal(SIGTERM, SIG_IGN);
      Progress(1);
      while (true) pause();
    }
    if (what == "checkpoint_then_crash") {
      Checkpoint(5);
      abort();
    }
    if (what == "tell_rank") return TellRank();
    if (what == "rank1_is_killed" || what == "rank1_aborts_others_hang" || what == "rank1_fails") {
      return Rank() == "1" ? EndRank(what) : OutliveRank(what);
    }
    return Hang();
  }

 private:
  static std::string Variable(const char* name) {
    const char* value = getenv(name);
    return value == nullptr ? "nothing" : value;
  }
  static std::string Rank() { return Variable("RANK"); }

  int TellRank() {
    std::cout << "I am " << Rank() << " of " << Variable("WORLD_SIZE") << ", "
              << Variable("LOCAL_WORLD_SIZE") << " here, at " << Variable("MASTER_ADDR")
              << std::endl;
    if (Rank() != "0") return 0;
    quantry::v1::TrainerEvent event;
    event.mutable_result()->set_artifact_top1(0.5);
    Send(event);
    return 0;
  }

  int EndRank(const std::string& what) {
    if (what == "rank1_fails") return Fail();
    std::cerr << "about to abort" << std::endl;
    raise(what == "rank1_is_killed" ? SIGKILL : SIGABRT);
    return 1;
  }

  // What the others of a rank that ends do.
  int OutliveRank(const std::string& what) {
    if (what == "rank1_aborts_others_hang") {
      while (true) pause();
    }
    quantry::v1::TrainerEvent event;
    event.mutable_failure()->set_kind(quantry::v1::FAILURE_KIND_INFRASTRUCTURE);
    event.mutable_failure()->set_reason("RANK_LOST");
    event.mutable_failure()->set_message("rank 1 of 2 was lost");
    Send(event);
    return 1;
  }

  void Send(const quantry::v1::TrainerEvent& event) {
    if (!quantry::WriteDelimited(events_fd_, event.SerializeAsString()).ok()) exit(4);
  }

  void Progress(int64_t step) {
    quantry::v1::TrainerEvent event;
    event.mutable_progress()->set_phase(quantry::v1::PHASE_TRAINING);
    event.mutable_progress()->set_step(step);
    Send(event);
  }

  void Checkpoint(int64_t step) {
    const auto file = output_ / "checkpoint.qckpt";
    if (!quantry::WriteFileAtomically(file, "checkpoint at " + std::to_string(step)).ok()) exit(4);
    quantry::v1::TrainerEvent event;
    event.mutable_checkpoint()->set_step(step);
    Send(event);
  }

  void Artifact(const std::string& name, const std::string& content) {
    std::ofstream(output_ / name, std::ios::binary) << content;
    quantry::v1::TrainerEvent event;
    event.mutable_artifact()->set_name(name);
    event.mutable_artifact()->set_blob(quantry::Sha256Hex(content));
    Send(event);
  }

  // Proves by its artifacts that it got its inputs.
  int Succeed() {
    const auto read = [](const std::string& path) {
      return path.empty() ? "none" : quantry::ReadFile(path).value_or("unreadable");
    };
    Progress(3);
    Checkpoint(3);
    Artifact("model.onnx", "quantized " + read(spec_.model_path()));
    Artifact("report.json", "resumed from " + read(spec_.checkpoint_path()) + " on " +
                                spec_.device() + " roots " +
                                std::to_string(spec_.dataset_roots_size()) + " cache " +
                                std::filesystem::path(spec_.dataset_cache()).filename().string() +
                                " " + std::to_string(spec_.dataset_cache_bytes()));
    quantry::v1::TrainerEvent event;
    event.mutable_result()->set_artifact_top1(0.75);
    Send(event);
    return 0;
  }

  int Flood() {
    for (int64_t step = 1; step <= 20'000; ++step) Progress(step);
    quantry::v1::TrainerEvent event;
    event.mutable_log()->set_message("after the flood");
    Send(event);
    return Succeed();
  }

  int Fail() {
    quantry::v1::TrainerEvent event;
    event.mutable_failure()->set_kind(quantry::v1::FAILURE_KIND_USER);
    event.mutable_failure()->set_reason("MODEL_INVALID");
    event.mutable_failure()->set_message("the model is no model");
    Send(event);
    return 1;
  }

  // Waits for SIGTERM, then does what the real one does.
  int Hang() {
    signal(SIGTERM, [](int) { interrupted = 1; });
    sigset_t term, old;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &old);
    Progress(1);
    if (Rank() == "1") std::cout << "rank 1 waits" << std::endl;
    while (interrupted == 0) sigsuspend(&old);
    Checkpoint(42);
    return 3;
  }

  const std::filesystem::path output_;
  const int events_fd_;
  const quantry::v1::TrainerSpec spec_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "devices") {
    std::cout << "cpu\n";
    return 0;
  }
  if (argc != 7) return 2;
  const auto json = quantry::ReadFile(argv[2]);
  quantry::v1::TrainerSpec spec;
  if (!json.ok() || !google::protobuf::util::JsonStringToMessage(*json, &spec).ok()) return 2;
  return FakeTrainer(argv[4], std::atoi(argv[6]), std::move(spec)).Run();
}
