#ifndef QUANTRY_COMMON_PROCESS_H_
#define QUANTRY_COMMON_PROCESS_H_

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace quantry {

// How a process ended.
struct ExitStatus {
  int code = 0;    // of exit(); meaningless if a signal ended it
  int signal = 0;  // that ended it; 0: it exited by itself

  bool Succeeded() const { return signal == 0 && code == 0; }
  // "exit code 3" or "signal 11 (Segmentation fault)".
  std::string ToString() const;
};

struct ProcessOptions {
  // The program's path (no search in PATH), then its arguments. Not empty.
  std::vector<std::string> arguments;
  // Set on top of this process's environment.
  std::map<std::string, std::string> environment;
  // Where it runs; empty: here.
  std::filesystem::path working_folder;
};

// A child process in a process group of its own, which dies with its parent. Standard input is
// empty; standard output and error, and descriptor kMessageFd, are pipes whose other ends are here,
// in non-blocking mode. All other descriptors are closed.
//
// The thread that calls Start must outlive the child: Linux sends the parent's death signal when
// that *thread* ends. Not thread-safe, apart from that different objects are independent.
class Process {
 public:
  // The descriptor under which the child finds its message pipe.
  static constexpr int kMessageFd = 3;

  // NOT_FOUND, PERMISSION_DENIED: the program can't be run; the message names it.
  static absl::StatusOr<std::unique_ptr<Process>> Start(const ProcessOptions& options);

  // Kills the group and reaps the child.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Read ends; the object owns them.
  int output_fd() const { return output_fd_; }    // the child's standard output and error
  int message_fd() const { return message_fd_; }  // what the child writes to kMessageFd

  // Sends a signal to the child alone. No effect once it has ended.
  void Signal(int number);

  // Sends SIGKILL to the whole group. No effect once the child has been reaped.
  void Kill();

  // The child's end, if it has come; the rest of its group is killed then. Does not wait.
  std::optional<ExitStatus> Poll();

  // Waits up to `timeout` for the child's end.
  std::optional<ExitStatus> WaitFor(absl::Duration timeout);

 private:
  Process(pid_t pid, int output_fd, int message_fd)
      : pid_(pid), output_fd_(output_fd), message_fd_(message_fd) {}

  const pid_t pid_;
  const int output_fd_;
  const int message_fd_;
  std::optional<ExitStatus> exit_;
};

}  // namespace quantry

#endif  // QUANTRY_COMMON_PROCESS_H_
