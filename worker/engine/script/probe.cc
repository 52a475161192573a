#include "worker/engine/script/probe.h"

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <fstream>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace quantry::engine {
namespace {

constexpr int kTooMuchMemory = 2;

void SetLimits(const ProbeLimits& limits) {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  const auto seconds = static_cast<rlim_t>(limits.cpu_seconds);
  const rlimit cpu{seconds, seconds + 1};
  setrlimit(RLIMIT_CPU, &cpu);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const int64_t most = pages * sysconf(_SC_PAGESIZE) + limits.bytes;
  const rlimit memory{static_cast<rlim_t>(most), static_cast<rlim_t>(most)};
  if (pages > 0) setrlimit(RLIMIT_AS, &memory);
#endif
}

// What a crash prints is not for the log of this process: its cause is told by the status.
void Silence() {
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null < 0) return;
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
}

[[noreturn]] void RunChild(const std::function<void()>& load, const ProbeLimits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT}) {
    std::signal(signal, SIG_DFL);
  }
  Silence();
  SetLimits(limits);
  at::set_num_threads(1);  // the other threads of OpenMP are not here
  try {
    load();
  } catch (const std::bad_alloc&) {
    _exit(kTooMuchMemory);
  } catch (const std::exception& error) {
    if (absl::StrContains(error.what(), "can't allocate memory")) _exit(kTooMuchMemory);
  } catch (...) {
  }
  _exit(0);
}

absl::Status TooMuchMemory() {
  return absl::InvalidArgumentError(
      "loading it takes far more memory than its size; it is damaged");
}

}  // namespace

absl::Status ProbeInChild(const std::function<void()>& load, const ProbeLimits& limits) {
  const pid_t child = fork();
  if (child < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no process can be started to look at it: ", strerror(errno)));
  }
  if (child == 0) RunChild(load, limits);
  int status = 0;
  pid_t ended = 0;
  do {
    ended = waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended != child) {
    return absl::ResourceExhaustedError("the process that looks at it was lost");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  if (WIFEXITED(status) && WEXITSTATUS(status) == kTooMuchMemory) return TooMuchMemory();
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)) {
    return absl::InvalidArgumentError(absl::StrCat("loading it does not end within ",
                                                   limits.cpu_seconds, " s, or takes all memory"));
  }
  const std::string how = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "an error";
  return absl::InvalidArgumentError(
      absl::StrCat("LibTorch crashes on it (", how, "); it is damaged"));
}

}  // namespace quantry::engine
