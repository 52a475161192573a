#include "worker/agent/trainer_run.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/free_port.h"
#include "common/status_macros.h"
#include "worker/agent/rank_process.h"

namespace quantry::agent {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(50);
// Of a rank that ended because another one was lost; see quantry-trainer.
constexpr absl::string_view kRankLost = "RANK_LOST";

// The ranks of one trainer while they run.
class Supervisor {
 public:
  explicit Supervisor(const TrainerRunOptions& options) : options_(options) {}

  void Add(std::unique_ptr<Process> process) {
    const size_t rank = ranks_.size();
    ranks_.push_back({.process = std::make_unique<RankProcess>(
                          std::move(process), [this, rank](v1::TrainerEvent event) {
                            Forward(rank, std::move(event));
                          })});
  }

  TrainerOutcome Run() {
    while (NoteEnds() < ranks_.size()) {
      ObeyStop();
      const bool wait = asked_ == StopRequest::kNone && options_.is_behind && options_.is_behind();
      if (wait || AllSilent()) {
        absl::SleepFor(kTick);
      } else {
        WaitForData();
        for (Rank& rank : ranks_) {
          if (!rank.ended) rank.process->Read();
        }
      }
    }
    return Finish();
  }

 private:
  struct Rank {
    std::unique_ptr<RankProcess> process;
    std::optional<size_t> ended;  // how many ended before it
    bool killed = false;          // by us, for another one's sake
  };

  // Other ranks than 0 have only their output to add.
  void Forward(size_t rank, v1::TrainerEvent event) {
    if (rank > 0) {
      if (!event.has_log()) return;
      event.mutable_log()->set_message(absl::StrCat("[rank ", rank, "] ", event.log().message()));
    }
    options_.on_event(std::move(event));
  }

  // How many have ended.
  size_t NoteEnds() {
    size_t before = EndedCount();
    for (size_t i = 0; i < ranks_.size(); ++i) {
      Rank& rank = ranks_[i];
      if (rank.ended || !rank.process->Ended()) continue;
      rank.ended = before++;
      outcomes_[i] = rank.process->Finish();
      // A rank that is done leaves rank 0 to its work; any other end is everyone's.
      const bool done = i > 0 && outcomes_[i].exit.Succeeded();
      if (!done) {
        kill_at_ = std::min(kill_at_, SystemClock().Monotonic() + options_.rank_grace);
      }
    }
    return before;
  }

  size_t EndedCount() const {
    return static_cast<size_t>(std::count_if(ranks_.begin(), ranks_.end(),
                                             [](const Rank& r) { return r.ended.has_value(); }));
  }

  void ObeyStop() {
    const StopRequest request = std::max(asked_, options_.stop());
    const absl::Duration now = SystemClock().Monotonic();
    if (asked_ == StopRequest::kNone && request == StopRequest::kTerminate) {
      for (Rank& rank : ranks_) rank.process->Signal(SIGTERM);
      kill_at_ = std::min(kill_at_, now + options_.stop_grace);
    }
    asked_ = request;
    if (request != StopRequest::kKill && now < kill_at_) return;
    for (Rank& rank : ranks_) {
      if (rank.ended) continue;
      rank.killed = true;
      rank.process->Kill();
    }
  }

  bool AllSilent() const {
    return std::all_of(ranks_.begin(), ranks_.end(),
                       [](const Rank& rank) { return rank.process->silent(); });
  }

  void WaitForData() const {
    std::vector<pollfd> entries;
    for (const Rank& rank : ranks_) {
      const std::array<pollfd, 2> both = rank.process->Entries();
      entries.insert(entries.end(), both.begin(), both.end());
    }
    poll(entries.data(), entries.size(), static_cast<int>(absl::ToInt64Milliseconds(kTick)));
  }

  // The rank whose end explains the others': of those that failed the first to end that neither was
  // killed here nor says that it ended because of another one.
  size_t Cause() const {
    std::optional<size_t> cause;
    const auto weight = [this](size_t rank) {
      const TrainerOutcome& outcome = outcomes_.at(rank);
      const bool follows =
          ranks_[rank].killed || (outcome.failure && outcome.failure->reason() == kRankLost);
      return std::make_pair(follows, *ranks_[rank].ended);
    };
    for (size_t rank = 0; rank < ranks_.size(); ++rank) {
      if (outcomes_.at(rank).exit.Succeeded()) continue;
      if (!cause || weight(rank) < weight(*cause)) cause = rank;
    }
    return cause.value_or(0);
  }

  TrainerOutcome Finish() {
    const size_t cause = Cause();
    TrainerOutcome outcome = std::move(outcomes_[cause]);
    outcome.asked = asked_;
    if (ranks_.size() == 1 || outcome.exit.Succeeded()) return outcome;
    outcome.result.reset();
    const std::string name = absl::StrCat("rank ", cause, " of ", ranks_.size());
    if (outcome.failure) {
      if (outcome.failure->reason() != kRankLost) {
        outcome.failure->set_message(absl::StrCat(name, ": ", outcome.failure->message()));
      }
      return outcome;
    }
    const bool interrupted = outcome.exit.signal == 0 && outcome.exit.code == kTrainerInterrupted;
    if (asked_ == StopRequest::kNone && !interrupted) outcome.failure = Lost(name, outcome);
    return outcome;
  }

  static v1::Failure Lost(const std::string& name, const TrainerOutcome& outcome) {
    v1::Failure failure;
    failure.set_kind(v1::FAILURE_KIND_INFRASTRUCTURE);
    failure.set_reason(std::string(kRankLost));
    failure.set_message(
        absl::StrCat(name, " ended with ", outcome.exit.ToString(), " without saying why",
                     outcome.exit.signal == SIGKILL
                         ? "; probably the machine ran out of memory: try a smaller batch_size"
                         : ""));
    failure.set_last_words(outcome.last_words);
    return failure;
  }

  const TrainerRunOptions& options_;
  std::vector<Rank> ranks_;
  std::map<size_t, TrainerOutcome> outcomes_;  // of those that ended
  StopRequest asked_ = StopRequest::kNone;
  absl::Duration kill_at_ = absl::InfiniteDuration();  // monotonic
};

// Nobody else knows it, so that no process of another attempt joins.
std::string NewToken() {
  std::random_device source;
  std::string token;
  for (int i = 0; i < 4; ++i) absl::StrAppend(&token, absl::Hex(source(), absl::kZeroPad8));
  return token;
}

}  // namespace

absl::StatusOr<TrainerOutcome> RunTrainer(const TrainerRunOptions& options) {
  ProcessOptions process{
      .arguments = {options.trainer.string(), "--spec", options.spec_file.string(), "--output",
                    options.output_folder.string(), "--events-fd",
                    absl::StrCat(Process::kMessageFd)},
      // Device numbers as nvidia-smi and the driver give them. Ranks are ours to give: what the
      // worker's own environment says of them is of something else.
      .environment = {{"CUDA_DEVICE_ORDER", "PCI_BUS_ID"},
                      {"RANK", "0"},
                      {"WORLD_SIZE", absl::StrCat(options.ranks)},
                      {"LOCAL_WORLD_SIZE", absl::StrCat(options.ranks)}}};
  if (options.ranks > 1) {
    QUANTRY_ASSIGN_OR_RETURN(const int port, FreeTcpPort());
    process.environment["MASTER_ADDR"] = "127.0.0.1";
    process.environment["MASTER_PORT"] = absl::StrCat(port);
    process.environment["QUANTRY_RENDEZVOUS_TOKEN"] = NewToken();
  }
  Supervisor supervisor(options);
  for (int rank = 0; rank < options.ranks; ++rank) {
    process.environment["RANK"] = absl::StrCat(rank);
    // Those that run already end with the supervisor.
    QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<Process> started, Process::Start(process));
    supervisor.Add(std::move(started));
  }
  return supervisor.Run();
}

}  // namespace quantry::agent
