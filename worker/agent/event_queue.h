#ifndef QUANTRY_WORKER_AGENT_EVENT_QUEUE_H_
#define QUANTRY_WORKER_AGENT_EVENT_QUEUE_H_

#include <cstddef>
#include <deque>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "quantry/v1/trainer.pb.h"

namespace quantry::agent {

// Events on their way to the server, first in, first out. Bounded by its users: a producer that can
// wait does so while IsFull(). When the server is behind, only progress is thinned out: a new one
// takes the place of the last one in the queue. Thread-safe.
class EventQueue {
 public:
  // `thin_above` events waiting: thin out progress. `capacity` events: full.
  explicit EventQueue(size_t thin_above = 64, size_t capacity = 4096)
      : thin_above_(thin_above), capacity_(capacity) {}

  // Never blocks. No effect after Close. Returns how many older events it replaced (0 or 1).
  int Push(v1::TrainerEvent event) ABSL_LOCKS_EXCLUDED(mutex_);

  bool IsFull() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits for events and takes up to `max_events` of together about `max_bytes`, at least one.
  // Empty: the queue is closed and was drained.
  std::vector<v1::TrainerEvent> Take(size_t max_events, size_t max_bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // No more events will come.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const size_t thin_above_;
  const size_t capacity_;
  mutable absl::Mutex mutex_;
  std::deque<v1::TrainerEvent> events_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_EVENT_QUEUE_H_
