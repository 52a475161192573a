#ifndef QUANTRY_WORKER_TRAINER_EVENT_SINK_H_
#define QUANTRY_WORKER_TRAINER_EVENT_SINK_H_

#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "quantry/v1/trainer.pb.h"

namespace quantry::trainer {

// Where a run tells what happens. Implementations are used from one thread.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Send(const v1::TrainerEvent& event) = 0;
  // Whether nobody listens any more: the run had better save and stop.
  virtual bool broken() const { return false; }
};

// Delimited messages on a descriptor, which stays the caller's. Needs SIGPIPE ignored.
class PipeEventSink : public EventSink {
 public:
  explicit PipeEventSink(int fd) : fd_(fd) {}
  void Send(const v1::TrainerEvent& event) override;
  bool broken() const override { return broken_; }

 private:
  int fd_;
  bool broken_ = false;
};

// A line for people per event.
class TextEventSink : public EventSink {
 public:
  // `out` must outlive the sink.
  explicit TextEventSink(std::ostream& out) : out_(out) {}
  void Send(const v1::TrainerEvent& event) override;

 private:
  std::ostream& out_;
};

// What a rank other than 0 has to say: failures, warnings and errors go on to `inner`.
class OtherRankSink : public EventSink {
 public:
  // `inner` must outlive the sink.
  explicit OtherRankSink(EventSink& inner) : inner_(inner) {}
  void Send(const v1::TrainerEvent& event) override;
  bool broken() const override { return inner_.broken(); }

 private:
  EventSink& inner_;
};

// Sends a line of log.
void SendLog(EventSink& sink, v1::LogLine::Level level, absl::string_view message);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_EVENT_SINK_H_
