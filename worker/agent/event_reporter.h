#ifndef QUANTRY_WORKER_AGENT_EVENT_REPORTER_H_
#define QUANTRY_WORKER_AGENT_EVENT_REPORTER_H_

#include <cstdint>
#include <thread>
#include <vector>

#include "client/transfer/backoff.h"
#include "quantry/v1/trainer.pb.h"
#include "worker/agent/event_queue.h"
#include "worker/agent/lease_keeper.h"
#include "worker/agent/worker_api.h"
#include "worker/agent/worker_metrics.h"

namespace quantry::agent {

// Sends an attempt's events to the server in numbered batches, on a thread of its own. Repeats a
// batch until the server has it or the lease is lost; after that, events are taken and dropped.
class EventReporter {
 public:
  // References must outlive the object.
  EventReporter(EventQueue& queue, LeaseKeeper& keeper, WorkerApi& api, WorkerMetrics& metrics,
                client::RetryOptions retry);
  // Finishes.
  ~EventReporter();

  // Closes the queue and waits until all is sent or the lease is lost. Call from one thread.
  void Finish();

 private:
  void Run();
  void Send(std::vector<v1::TrainerEvent> batch);

  EventQueue& queue_;
  LeaseKeeper& keeper_;
  WorkerApi& api_;
  WorkerMetrics& metrics_;
  const client::RetryOptions retry_;
  int64_t next_number_ = 1;  // touched by thread_ alone
  std::thread thread_;
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_EVENT_REPORTER_H_
