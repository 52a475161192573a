#include "worker/agent/rank_process.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/status_macros.h"

namespace quantry::agent {
namespace {

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

}  // namespace

bool RankProcess::Ended() {
  if (!process_->Poll().has_value()) return false;
  // The whole group is dead: what is left in the pipes is all there will be.
  while (!silent()) Read();
  return true;
}

std::array<pollfd, 2> RankProcess::Entries() const {
  // A descriptor that ended would report that for ever; -1 is left out.
  return {{{.fd = output_ended_ ? -1 : process_->output_fd(), .events = POLLIN, .revents = 0},
           {.fd = messages_ended_ ? -1 : process_->message_fd(), .events = POLLIN, .revents = 0}}};
}

void RankProcess::Read() {
  if (!output_ended_) {
    for (std::string& line : text_.Feed(ReadAvailable(process_->output_fd(), &output_ended_))) {
      on_event_(LogEvent(std::move(line)));
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

absl::Status RankProcess::TakeMessages() {
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

void RankProcess::Take(v1::TrainerEvent event) {
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
      on_event_(std::move(event));
  }
}

TrainerOutcome RankProcess::Finish() {
  if (std::string line = text_.TakePartialLine(); !line.empty()) {
    on_event_(LogEvent(std::move(line)));
  }
  if (outcome_.events.ok() && parser_.HasPartial()) {
    outcome_.events = absl::DataLossError("the trainer's last message was cut");
  }
  outcome_.exit = *process_->Poll();
  outcome_.last_words = text_.LastWords();
  return std::move(outcome_);
}

}  // namespace quantry::agent
