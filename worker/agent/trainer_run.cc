#include "worker/agent/trainer_run.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/delimited.h"
#include "common/status_macros.h"
#include "worker/agent/output_text.h"

namespace quantry::agent {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(50);

// What can be read from a non-blocking descriptor now, at most 256 KiB. Sets `*ended` at its end.
std::string ReadAvailable(int fd, bool* ended) {
  std::string text;
  char buffer[1 << 16];
  while (text.size() < size_t{256} << 10) {
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count > 0) {
      text.append(buffer, static_cast<size_t>(count));
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else {
      *ended = count == 0 || errno != EAGAIN;
      break;
    }
  }
  return text;
}

v1::TrainerEvent LogEvent(std::string line) {
  v1::TrainerEvent event;
  event.mutable_log()->set_level(v1::LogLine::WARNING);  // the trainer's own log comes as events
  event.mutable_log()->set_message(std::move(line));
  return event;
}

// One trainer while it runs.
class Supervisor {
 public:
  Supervisor(const TrainerRunOptions& options, std::unique_ptr<Process> process)
      : options_(options), process_(std::move(process)) {}

  TrainerOutcome Run() {
    while (!process_->Poll().has_value()) {
      ObeyStop();
      const bool wait =
          outcome_.asked == StopRequest::kNone && options_.is_behind && options_.is_behind();
      if (wait || (output_ended_ && messages_ended_)) {
        absl::SleepFor(kTick);
      } else {
        WaitForData();
        Read();
      }
    }
    // The whole group is dead: what is left in the pipes is all there will be.
    while (!output_ended_ || !messages_ended_) Read();
    return Finish();
  }

 private:
  void ObeyStop() {
    const StopRequest request = std::max(outcome_.asked, options_.stop());
    const absl::Duration now = SystemClock().Monotonic();
    if (outcome_.asked == StopRequest::kNone && request == StopRequest::kTerminate) {
      process_->Signal(SIGTERM);
      kill_at_ = now + options_.stop_grace;
    }
    outcome_.asked = request;
    if (request == StopRequest::kKill || now >= kill_at_) process_->Kill();
  }

  void WaitForData() const {
    // A descriptor that ended would report that for ever; -1 is left out.
    pollfd entries[2] = {
        {.fd = output_ended_ ? -1 : process_->output_fd(), .events = POLLIN, .revents = 0},
        {.fd = messages_ended_ ? -1 : process_->message_fd(), .events = POLLIN, .revents = 0}};
    poll(entries, 2, static_cast<int>(absl::ToInt64Milliseconds(kTick)));
  }

  void Read() {
    if (!output_ended_) {
      for (std::string& line : text_.Feed(ReadAvailable(process_->output_fd(), &output_ended_))) {
        options_.on_event(LogEvent(std::move(line)));
      }
    }
    if (!messages_ended_) {
      const std::string bytes = ReadAvailable(process_->message_fd(), &messages_ended_);
      if (outcome_.events.ok()) {
        parser_.Feed(bytes);
        outcome_.events = TakeMessages();
      }
    }
  }

  absl::Status TakeMessages() {
    while (true) {
      QUANTRY_ASSIGN_OR_RETURN(const std::optional<std::string> message, parser_.Next());
      if (!message.has_value()) return absl::OkStatus();
      v1::TrainerEvent event;
      if (!event.ParseFromString(*message)) {
        return absl::DataLossError("the trainer sent a message that is no TrainerEvent");
      }
      Take(std::move(event));
    }
  }

  void Take(v1::TrainerEvent event) {
    switch (event.event_case()) {
      case v1::TrainerEvent::kArtifact:
        outcome_.artifacts.push_back(std::move(*event.mutable_artifact()));
        break;
      case v1::TrainerEvent::kResult:
        outcome_.result = std::move(*event.mutable_result());
        break;
      case v1::TrainerEvent::kFailure:
        outcome_.failure = std::move(*event.mutable_failure());
        break;
      case v1::TrainerEvent::EVENT_NOT_SET:  // of a newer trainer
        break;
      default:
        options_.on_event(std::move(event));
    }
  }

  TrainerOutcome Finish() {
    if (std::string line = text_.TakePartialLine(); !line.empty()) {
      options_.on_event(LogEvent(std::move(line)));
    }
    if (outcome_.events.ok() && parser_.HasPartial()) {
      outcome_.events = absl::DataLossError("the trainer's last message was cut");
    }
    outcome_.exit = *process_->Poll();
    outcome_.last_words = text_.LastWords();
    return std::move(outcome_);
  }

  const TrainerRunOptions& options_;
  const std::unique_ptr<Process> process_;
  TrainerOutcome outcome_;
  OutputText text_;
  DelimitedParser parser_;
  bool output_ended_ = false;
  bool messages_ended_ = false;
  absl::Duration kill_at_ = absl::InfiniteDuration();  // monotonic
};

}  // namespace

absl::StatusOr<TrainerOutcome> RunTrainer(const TrainerRunOptions& options) {
  const ProcessOptions process_options{
      .arguments = {options.trainer.string(), "--spec", options.spec_file.string(), "--output",
                    options.output_folder.string(), "--events-fd",
                    absl::StrCat(Process::kMessageFd)},
      // Device numbers as nvidia-smi and the driver give them.
      .environment = {{"CUDA_DEVICE_ORDER", "PCI_BUS_ID"}}};
  QUANTRY_ASSIGN_OR_RETURN(std::unique_ptr<Process> process, Process::Start(process_options));
  return Supervisor(options, std::move(process)).Run();
}

}  // namespace quantry::agent
