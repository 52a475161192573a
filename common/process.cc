#include "common/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/files.h"
#include "common/status_macros.h"

extern char** environ;

namespace quantry {
namespace {

// Both ends of a pipe, closed when it goes out of scope unless they were released.
class Pipe {
 public:
  Pipe() = default;
  ~Pipe() {
    for (int& fd : fds_) Close(fd);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  absl::Status Open() {
    if (pipe2(fds_, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "cannot make a pipe");
    // Away from 0..3, which the child's own descriptors take.
    for (int& fd : fds_) {
      const int moved = fcntl(fd, F_DUPFD_CLOEXEC, Process::kMessageFd + 1);
      if (moved < 0) return ErrnoToStatus(errno, "cannot make a pipe");
      close(std::exchange(fd, moved));
    }
    return absl::OkStatus();
  }

  int read_end() const { return fds_[0]; }
  int write_end() const { return fds_[1]; }
  int ReleaseReadEnd() { return std::exchange(fds_[0], -1); }
  void CloseWriteEnd() { Close(fds_[1]); }

 private:
  static void Close(int& fd) {
    if (fd >= 0) close(std::exchange(fd, -1));
  }
  int fds_[2] = {-1, -1};
};

// Everything the child needs, prepared before fork: after it, in a program with threads, only
// async-signal-safe functions may be called (POSIX fork()).
struct ChildPlan {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  const char* working_folder = nullptr;  // null: stay
  int output = -1;
  int message = -1;
  int failure = -1;  // takes errno if the program can't be run
  pid_t parent = 0;
};

[[noreturn]] void FailChild(int failure_fd) {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(failure_fd, &error, sizeof(error));
  _exit(127);
}

[[noreturn]] void RunChild(const ChildPlan& plan) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent) _exit(127);  // the parent died before the line above

  struct sigaction defaults = {};
  defaults.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &defaults, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, 0) < 0 || dup2(plan.output, 1) < 0 || dup2(plan.output, 2) < 0 ||
      dup2(plan.message, Process::kMessageFd) < 0) {
    FailChild(plan.failure);
  }
  // Where the kernel lacks this call, close-on-exec flags do nearly as much.
  close_range(Process::kMessageFd + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  if (plan.working_folder != nullptr && chdir(plan.working_folder) != 0) FailChild(plan.failure);
  execve(plan.arguments[0], plan.arguments.data(), plan.environment.data());
  FailChild(plan.failure);
}

// This process's environment with `changes`, as KEY=VALUE strings.
std::vector<std::string> Environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (changes.count(text.substr(0, text.find('='))) == 0) result.push_back(text);
  }
  for (const auto& [key, value] : changes) result.push_back(absl::StrCat(key, "=", value));
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The error number that the child sent if it couldn't run its program; 0 if it runs.
int ReadChildError(int fd) {
  int error = 0;
  ssize_t count = 0;
  do {
    count = read(fd, &error, sizeof(error));
  } while (count < 0 && errno == EINTR);
  return count == sizeof(error) ? error : 0;
}

}  // namespace

std::string ExitStatus::ToString() const {
  if (signal == 0) return absl::StrCat("exit code ", code);
  return absl::StrCat("signal ", signal, " (", strsignal(signal), ")");
}

absl::StatusOr<std::unique_ptr<Process>> Process::Start(const ProcessOptions& options) {
  if (options.arguments.empty()) return absl::InvalidArgumentError("no program to run was given");
  Pipe output, message, failure;
  QUANTRY_RETURN_IF_ERROR(output.Open());
  QUANTRY_RETURN_IF_ERROR(message.Open());
  QUANTRY_RETURN_IF_ERROR(failure.Open());

  std::vector<std::string> arguments = options.arguments;
  std::vector<std::string> environment = Environment(options.environment);
  const std::string folder = options.working_folder.string();
  const ChildPlan plan{.arguments = Pointers(arguments),
                       .environment = Pointers(environment),
                       .working_folder = folder.empty() ? nullptr : folder.c_str(),
                       .output = output.write_end(),
                       .message = message.write_end(),
                       .failure = failure.write_end(),
                       .parent = getpid()};
  const pid_t pid = fork();
  if (pid < 0) return ErrnoToStatus(errno, "cannot fork");
  if (pid == 0) RunChild(plan);
  setpgid(pid, pid);  // in both, so that neither has to wait for the other

  failure.CloseWriteEnd();
  if (const int error = ReadChildError(failure.read_end()); error != 0) {
    waitpid(pid, nullptr, 0);
    return ErrnoToStatus(error, absl::StrCat("cannot run ", options.arguments[0]));
  }
  fcntl(output.read_end(), F_SETFL, O_NONBLOCK);
  fcntl(message.read_end(), F_SETFL, O_NONBLOCK);
  return std::unique_ptr<Process>(
      new Process(pid, output.ReleaseReadEnd(), message.ReleaseReadEnd()));
}

Process::~Process() {
  Kill();
  while (!Poll().has_value()) absl::SleepFor(absl::Milliseconds(1));
  close(output_fd_);
  close(message_fd_);
}

void Process::Signal(int number) {
  // Until it is reaped here, its number can't be another process's.
  if (!exit_.has_value()) kill(pid_, number);
}

void Process::Kill() {
  if (!exit_.has_value()) kill(-pid_, SIGKILL);
}

std::optional<ExitStatus> Process::Poll() {
  if (exit_.has_value()) return exit_;
  siginfo_t info = {};
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    if (errno == EINTR) return std::nullopt;
    exit_ = ExitStatus{.code = 127};  // someone else reaped it
    return exit_;
  }
  if (info.si_pid == 0) return std::nullopt;
  // The group's number is ours as long as its leader is a zombie: its helpers go first.
  kill(-pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_ = WIFSIGNALED(status) ? ExitStatus{.signal = WTERMSIG(status)}
                              : ExitStatus{.code = WEXITSTATUS(status)};
  return exit_;
}

std::optional<ExitStatus> Process::WaitFor(absl::Duration timeout) {
  const absl::Duration end = SystemClock().Monotonic() + timeout;
  while (true) {
    if (auto exit = Poll(); exit.has_value()) return exit;
    const absl::Duration left = end - SystemClock().Monotonic();
    if (left <= absl::ZeroDuration()) return std::nullopt;
    absl::SleepFor(std::min(left, absl::Milliseconds(10)));
  }
}

}  // namespace quantry
