#include "client/cli/interrupt_scope.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace quantry::client {
namespace {

constexpr char kSignal = 's';
constexpr char kEnd = 'e';

// The pipe's writing end: a signal handler can reach nothing but static storage.
std::atomic<int> signal_fd = -1;

void Tell(int fd, char what) {
  // The pipe is empty or holds a byte or two: the write can't block, and can't fail but by EINTR.
  while (write(fd, &what, 1) < 0 && errno == EINTR) {
  }
}

void HandleSignal(int) {
  const int saved = errno;
  Tell(signal_fd, kSignal);
  errno = saved;
}

}  // namespace

InterruptScope::InterruptScope(std::function<void()> on_interrupt)
    : on_interrupt_(std::move(on_interrupt)) {
  // Without a pipe (no file descriptor left), signals keep their usual meaning.
  if (pipe2(pipe_.data(), O_CLOEXEC) != 0) return;
  signal_fd = pipe_[1];
  thread_ = std::thread([this] { Wait(); });
  struct sigaction action {};
  action.sa_handler = HandleSignal;
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &previous_interrupt_);
  sigaction(SIGTERM, &action, &previous_terminate_);
}

InterruptScope::~InterruptScope() {
  if (!thread_.joinable()) return;
  sigaction(SIGINT, &previous_interrupt_, nullptr);
  sigaction(SIGTERM, &previous_terminate_, nullptr);
  Tell(pipe_[1], kEnd);
  thread_.join();
  signal_fd = -1;
  close(pipe_[0]);
  close(pipe_[1]);
}

void InterruptScope::Wait() {
  char what = 0;
  while (true) {
    const ssize_t count = read(pipe_[0], &what, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count != 1 || what == kEnd) return;
    interrupted_ = true;
    on_interrupt_();
  }
}

}  // namespace quantry::client
