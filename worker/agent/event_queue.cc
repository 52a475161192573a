#include "worker/agent/event_queue.h"

#include <algorithm>
#include <utility>

namespace quantry::agent {

int EventQueue::Push(v1::TrainerEvent event) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return 0;
  int replaced = 0;
  if (event.has_progress() && events_.size() >= thin_above_) {
    const auto last = std::find_if(events_.rbegin(), events_.rend(),
                                   [](const v1::TrainerEvent& e) { return e.has_progress(); });
    if (last != events_.rend()) {
      events_.erase(std::next(last).base());
      replaced = 1;
    }
  }
  events_.push_back(std::move(event));
  return replaced;
}

bool EventQueue::IsFull() const {
  absl::MutexLock lock(&mutex_);
  return events_.size() >= capacity_;
}

std::vector<v1::TrainerEvent> EventQueue::Take(size_t max_events, size_t max_bytes) {
  absl::MutexLock lock(&mutex_);
  const auto is_ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || !events_.empty();
  };
  mutex_.Await(absl::Condition(&is_ready));
  std::vector<v1::TrainerEvent> batch;
  size_t bytes = 0;
  while (!events_.empty() && batch.size() < max_events) {
    bytes += events_.front().ByteSizeLong();
    if (!batch.empty() && bytes > max_bytes) break;
    batch.push_back(std::move(events_.front()));
    events_.pop_front();
  }
  return batch;
}

void EventQueue::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

}  // namespace quantry::agent
