#ifndef QUANTRY_SERVER_RPC_NOTIFIER_H_
#define QUANTRY_SERVER_RPC_NOTIFIER_H_

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "absl/strings/string_view.h"

namespace quantry::server {

// Wakes the calls that wait for something to change: watchers of a job, workers that wait for the
// queue. Carries no data: who is woken reads the store. Thread-safe. Waits run on the steady clock
// (std::condition_variable's wait_for), so that a jump of the wall clock can't stretch them, which
// absl's timed waits would allow.
class Notifier {
 public:
  // A place in the list of those who are told about `topic`; ends with its life. One thread waits.
  class Subscription {
   public:
    Subscription(Notifier& notifier, std::string topic);
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    // Waits until the topic was notified since the last Wait, or the notifier was shut down (true),
    // or `timeout` has passed (false).
    bool Wait(std::chrono::milliseconds timeout);

   private:
    friend class Notifier;
    Notifier& notifier_;
    const std::string topic_;
    std::condition_variable changed_;
    bool notified_ = false;  // guarded by notifier_.mutex_
  };

  void Notify(absl::string_view topic);
  void NotifyAll();

  // Wakes everybody, now and at every further Wait.
  void Shutdown();
  bool IsShutdown() const;

 private:
  mutable std::mutex mutex_;
  bool shutdown_ = false;
  std::map<std::string, std::set<Subscription*>, std::less<>> subscriptions_;
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_RPC_NOTIFIER_H_
