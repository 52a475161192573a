#ifndef QUANTRY_CLIENT_JOB_WATCHER_H_
#define QUANTRY_CLIENT_JOB_WATCHER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/job_client.h"
#include "client/transfer/backoff.h"

namespace quantry::client {

struct JobWatchOptions {
  int64_t after_sequence = 0;  // events up to this number are not reported; >= 0
  // How the stream is opened again when it breaks; any event counts as progress. The short largest
  // delay lets people see events again soon after a server is back.
  RetryOptions retry = {.max_delay = absl::Seconds(2), .give_up_after = absl::Minutes(10)};
  // Until the first answer of the server: a wrong address should be noticed soon.
  absl::Duration give_up_first_after = absl::Seconds(5);
};

// Follows the events of one job to its end, over any number of broken connections. Each event is
// reported exactly once and in order. Use one object per watch; Run() on one thread, Stop() on any.
class JobWatcher {
 public:
  // Called on the thread of Run() with each event; false ends the watch.
  using OnEvent = std::function<bool(const v1::Event&)>;
  // Called when the stream broke, with the reason and the pause before the next try.
  using OnReconnect = std::function<void(const absl::Status&, absl::Duration)>;

  // `job` is "jobs/ID".
  JobWatcher(const JobClient& client, std::string job, JobWatchOptions options = {});

  // OK: the event of a terminal state was reported (now, or it is not after after_sequence), or
  // on_event returned false. CANCELLED: Stop() was called. DATA_LOSS: the server left events out,
  // twice in a row. UNAVAILABLE: given up. Otherwise the server's refusal, e.g. NOT_FOUND.
  absl::Status Run(const OnEvent& on_event, const OnReconnect& on_reconnect = nullptr);

  // Makes Run() return soon. Thread-safe, not for signal handlers.
  void Stop();

 private:
  // What one stream came to.
  struct StreamEnd {
    absl::Status status;
    bool finished = false;  // nothing more is wanted
    bool progressed = false;
    bool gap = false;  // an event was missing
  };
  StreamEnd ReadStream(const OnEvent& on_event);
  bool stopped() const;

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::JobService::StubInterface> stub_;
  const std::string job_;
  const JobWatchOptions options_;
  int64_t last_sequence_;

  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* open_stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

// Whether a job in this state never changes again.
bool IsTerminal(v1::JobState state);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_JOB_WATCHER_H_
