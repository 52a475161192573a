#include "server/rpc/notifier.h"

#include <utility>

namespace quantry::server {

Notifier::Subscription::Subscription(Notifier& notifier, std::string topic)
    : notifier_(notifier), topic_(std::move(topic)) {
  const std::lock_guard lock(notifier_.mutex_);
  notifier_.subscriptions_[topic_].insert(this);
}

Notifier::Subscription::~Subscription() {
  const std::lock_guard lock(notifier_.mutex_);
  const auto found = notifier_.subscriptions_.find(topic_);
  found->second.erase(this);
  if (found->second.empty()) notifier_.subscriptions_.erase(found);
}

bool Notifier::Subscription::Wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(notifier_.mutex_);
  const bool woken =
      changed_.wait_for(lock, timeout, [&] { return notified_ || notifier_.shutdown_; });
  notified_ = false;
  return woken;
}

void Notifier::Notify(absl::string_view topic) {
  const std::lock_guard lock(mutex_);
  const auto found = subscriptions_.find(topic);
  if (found == subscriptions_.end()) return;
  for (Subscription* subscription : found->second) {
    subscription->notified_ = true;
    subscription->changed_.notify_one();
  }
}

void Notifier::NotifyAll() {
  const std::lock_guard lock(mutex_);
  for (const auto& [topic, list] : subscriptions_) {
    for (Subscription* subscription : list) {
      subscription->notified_ = true;
      subscription->changed_.notify_one();
    }
  }
}

void Notifier::Shutdown() {
  const std::lock_guard lock(mutex_);
  shutdown_ = true;
  for (const auto& [topic, list] : subscriptions_) {
    for (Subscription* subscription : list) subscription->changed_.notify_one();
  }
}

bool Notifier::IsShutdown() const {
  const std::lock_guard lock(mutex_);
  return shutdown_;
}

}  // namespace quantry::server
