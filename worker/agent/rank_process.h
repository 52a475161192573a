#ifndef QUANTRY_WORKER_AGENT_RANK_PROCESS_H_
#define QUANTRY_WORKER_AGENT_RANK_PROCESS_H_

#include <poll.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "common/delimited.h"
#include "common/process.h"
#include "quantry/v1/trainer.pb.h"
#include "worker/agent/output_text.h"
#include "worker/agent/trainer_run.h"

namespace quantry::agent {

// One process of a trainer: reads what it writes and notes how it ends. Not thread-safe.
class RankProcess {
 public:
  // `on_event` gets its events but those that are kept for the outcome.
  RankProcess(std::unique_ptr<Process> process, std::function<void(v1::TrainerEvent)> on_event)
      : process_(std::move(process)), on_event_(std::move(on_event)) {}

  // Whether it has ended; what is left in its pipes is read then, and Finish may be called.
  bool Ended();
  // Takes what it has written, without waiting.
  void Read();
  // What to wait for before the next Read.
  std::array<pollfd, 2> Entries() const;
  bool silent() const { return output_ended_ && messages_ended_; }

  void Signal(int number) { process_->Signal(number); }
  void Kill() { process_->Kill(); }

  // Its end; `asked` is left as it is. Call once.
  TrainerOutcome Finish();

 private:
  absl::Status TakeMessages();
  void Take(v1::TrainerEvent event);

  const std::unique_ptr<Process> process_;
  const std::function<void(v1::TrainerEvent)> on_event_;
  TrainerOutcome outcome_;
  OutputText text_;
  DelimitedParser parser_;
  bool output_ended_ = false;
  bool messages_ended_ = false;
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_RANK_PROCESS_H_
