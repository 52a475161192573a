#ifndef QUANTRY_CLIENT_CLI_INTERRUPT_SCOPE_H_
#define QUANTRY_CLIENT_CLI_INTERRUPT_SCOPE_H_

#include <signal.h>

#include <array>
#include <atomic>
#include <functional>
#include <thread>

namespace quantry::client {

// While it lives, the first SIGINT (Ctrl-C) or SIGTERM calls a function, on a thread of its own,
// instead of ending the program; the second one ends it as usual. One at a time per process.
class InterruptScope {
 public:
  explicit InterruptScope(std::function<void()> on_interrupt);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  bool interrupted() const { return interrupted_; }

 private:
  void Wait();

  const std::function<void()> on_interrupt_;
  std::atomic<bool> interrupted_ = false;
  std::array<int, 2> pipe_ = {-1, -1};  // what the signal handler tells the thread
  struct sigaction previous_interrupt_ {};
  struct sigaction previous_terminate_ {};
  std::thread thread_;
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_INTERRUPT_SCOPE_H_
