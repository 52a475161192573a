#ifndef QUANTRY_TESTS_WORKER_TRAINER_RECORDING_SINK_H_
#define QUANTRY_TESTS_WORKER_TRAINER_RECORDING_SINK_H_

#include <vector>

#include "worker/trainer/event_sink.h"

namespace quantry::trainer {

// Keeps what is sent.
class RecordingSink : public EventSink {
 public:
  void Send(const v1::TrainerEvent& event) override { events.push_back(event); }

  int Count(v1::TrainerEvent::EventCase kind) const {
    int count = 0;
    for (const v1::TrainerEvent& event : events) count += event.event_case() == kind ? 1 : 0;
    return count;
  }

  std::vector<v1::TrainerEvent> events;
};

}  // namespace quantry::trainer

#endif  // QUANTRY_TESTS_WORKER_TRAINER_RECORDING_SINK_H_
