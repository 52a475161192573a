#include "worker/engine/script/compute_in_child.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <fstream>
#include <new>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace quantry::engine {
namespace {

// Exit codes of the child.
constexpr int kThrew = 2;
constexpr int kTooMuchMemory = 3;

void SetLimits(const ChildLimits& limits) {
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

void WriteOrExit(int file, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) _exit(kTooMuchMemory);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

int Threw(int result, absl::string_view message) {
  if (absl::StrContains(message, "can't allocate memory")) return kTooMuchMemory;
  WriteOrExit(result, message);
  return kThrew;
}

int Compute(const std::function<std::string()>& compute, int result) {
  try {
    WriteOrExit(result, compute());
    return 0;
  } catch (const std::bad_alloc&) {
    return kTooMuchMemory;
  } catch (const c10::Error& error) {
    return Threw(result, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return Threw(result, error.what());
  } catch (...) {
    return Threw(result, "it throws something unknown");
  }
}

[[noreturn]] void RunChild(const std::function<std::string()>& compute, const ChildLimits& limits,
                           int result) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT}) {
    std::signal(signal, SIG_DFL);
  }
  Silence();
  SetLimits(limits);
  at::set_num_threads(1);  // the other threads of OpenMP are not here
  _exit(Compute(compute, result));
}

absl::StatusOr<std::string> ReadAll(int file) {
  const off_t size = lseek(file, 0, SEEK_END);
  std::string bytes(static_cast<size_t>(std::max<off_t>(size, 0)), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return absl::ResourceExhaustedError("what a child wrote can't be read");
    done += static_cast<size_t>(count);
  }
  return bytes;
}

absl::Status TooMuchMemory() {
  return absl::InvalidArgumentError(
      "loading it takes far more memory than its size; it is damaged");
}

absl::Status NoChild(absl::string_view what) {
  return absl::ResourceExhaustedError(absl::StrCat(what, " to look at it: ", strerror(errno)));
}

// The status of a child that ended in another way than by returning something.
absl::Status HowItEnded(int status, const ChildLimits& limits) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == kTooMuchMemory) return TooMuchMemory();
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)) {
    return absl::InvalidArgumentError(absl::StrCat("loading it does not end within ",
                                                   limits.cpu_seconds, " s, or takes all memory"));
  }
  const std::string how = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "an error";
  return absl::InvalidArgumentError(
      absl::StrCat("LibTorch crashes on it (", how, "); it is damaged"));
}

}  // namespace

absl::StatusOr<std::string> ComputeInChild(const std::function<std::string()>& compute,
                                           const ChildLimits& limits) {
  const int result = memfd_create("quantry-child", MFD_CLOEXEC);
  if (result < 0) return NoChild("there is no memory");
  const absl::Cleanup close_result = [result] { close(result); };
  const pid_t child = fork();
  if (child < 0) return NoChild("no process can be started");
  if (child == 0) RunChild(compute, limits, result);
  int status = 0;
  pid_t ended = 0;
  do {
    ended = waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended != child) {
    return absl::ResourceExhaustedError("the process that looks at it was lost");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ReadAll(result);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != kThrew) return HowItEnded(status, limits);
  absl::StatusOr<std::string> message = ReadAll(result);
  return message.ok() ? absl::InvalidArgumentError(*message) : message.status();
}

}  // namespace quantry::engine
